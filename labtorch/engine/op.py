"""How an op is declared: its forward on arrays and, below it, the rule for each input.

    @op(r"y = \\tanh x")
    def tanh(input):
        return namespace(input).tanh(input)

    @tanh.vjp("input", r"\\bar x = \\bar y \\odot (1 - y^2)")
    def _(g, output):
        return g * (1 - output * output)

A rule names what it needs, and that is what a node keeps: an argument of the forward by its name
(`input`, `dim`), the result as `output`, `<argument>_shape` and `<argument>_dtype` of a tensor
argument, or one of the arrays that the forward returns besides its result (`keeps=`). Only the
rules of inputs that require a gradient run, so only what they name is kept.

A rule runs on plain arrays in an ordinary backward pass, and on tensors, recording itself, when
`create_graph=True`: its text uses operators and ops, which work on both. What a forward keeps is
`None` then, and the rule recomputes it from the arguments.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from labtorch.backend.arrays import is_array
from labtorch.engine.results import return_type
from labtorch.engine.variable import Variable

ARGUMENT, OUTPUT, KEPT, SHAPE, DTYPE = range(5)
NUMPY_NAMES = {"axis": "dim", "keepdims": "keepdim"}  # which PyTorch takes, too
MISSING = inspect.Parameter.empty


class Plan:
    """What to keep and which rules to run when a given set of inputs requires gradients."""

    __slots__ = ("inputs", "saves", "names", "rules", "only", "joint", "needs", "frees")

    def __init__(self, op: Op, needs: int) -> None:
        names: list[str] = []

        def slots(rule: Callable) -> tuple[int, ...]:
            wanted = list(inspect.signature(rule).parameters)[1:]
            for name in wanted:
                if name not in names and name != "needs":
                    names.append(name)
            return tuple(-1 if name == "needs" else names.index(name) for name in wanted)

        self.needs = tuple(bool(needs >> i & 1) for i in range(needs.bit_length()))
        self.inputs = tuple(i for i, needed in enumerate(self.needs) if needed)
        if op.joint is not None:
            self.joint: tuple | None = (op.joint[0], slots(op.joint[0]))
            self.rules: tuple = ()
        else:
            rules = [op.rules[op.parameters[i]][0] for i in self.inputs]
            self.joint, self.rules = None, tuple((rule, slots(rule)) for rule in rules)
        in_order = len(self.rules) == 1 and self.rules[0][1] == tuple(range(len(names)))
        self.only = (
            self.rules[0][0] if in_order else None
        )  # the one rule, called with all that is saved
        self.names = tuple(names)
        self.saves = tuple(op.locate(name) for name in names)
        # does backward free what is saved? Shapes and plain numbers may stay, for another pass;
        # None: that depends on whether the arguments saved are tensors
        self.frees: bool | None = False
        for name, (kind, at) in zip(self.names, self.saves):
            if kind in (OUTPUT, KEPT) or name in ("ctx", op.variadic):
                self.frees = True
            elif kind == ARGUMENT and not self.frees:
                self.frees = True if op.differentiable >> at & 1 else None


class Op:
    """A differentiable operation: a forward on arrays, a rule per input, and their formulas."""

    def __init__(
        self,
        forward: Callable,
        formula: str = "",
        *,
        name: str | None = None,
        broadcasts: bool = False,
        promotes: bool = False,
        view: bool = False,
        keeps: tuple[str, ...] = (),
        outputs: tuple[str, ...] | None = None,
        many: bool = False,
    ) -> None:
        self.forward, self.formula = forward, formula
        self.name = name or forward.__name__.strip("_")
        self.__name__, self.__doc__ = self.name, forward.__doc__
        self.__module__ = forward.__module__
        self.broadcasts, self.promotes, self.view = broadcasts or promotes, promotes, view
        self.keeps, self.outputs = keeps, outputs
        self.many = many or outputs is not None  # does the forward return a tuple of results?
        self.result = None if outputs is None else return_type(self.name, outputs)
        signature = inspect.signature(forward)
        self.__signature__ = signature
        self.variadic: str | None = None
        self.parameters: tuple[str, ...] = ()
        for parameter in signature.parameters.values():
            if parameter.kind is parameter.VAR_POSITIONAL:
                self.variadic = parameter.name
            else:
                self.parameters += (parameter.name,)
        self.defaults = tuple(signature.parameters[name].default for name in self.parameters)
        self.arity = len(self.parameters)
        self.rules: dict[str, tuple[Callable, str]] = {}
        self.joint: tuple[Callable, str] | None = None
        self.differentiable = 0  # bit i: the input at position i has a rule
        self.plans: dict[int, Plan] = {}
        self.hint: Callable | None = None
        self.node_name: str | None = None  # of its nodes, where `engine.names` cannot know it

    def __repr__(self) -> str:
        return f"<op {self.name}>"

    def vjp(self, input: str, formula: str = "") -> Callable:
        """Declare the rule for `input`: vector-Jacobian product of the result's cotangent g."""

        def declare(rule: Callable) -> Callable:
            self.rules[input] = (rule, formula)
            self.differentiable |= 1 << self.parameters.index(input)
            return rule

        return declare

    def vjps(self, *inputs: str, formula: str = "") -> Callable:
        """Declare one rule for several inputs; it returns their gradients in the arguments' order.

        Its parameter `needs` tells, per position, which inputs require a gradient. A rule of an op
        with several results receives g as a list.
        """

        def declare(rule: Callable) -> Callable:
            self.joint = (rule, formula)
            if self.variadic is not None and not inputs:
                self.differentiable = -1 << self.arity
            for name in inputs:
                if name == self.variadic:
                    self.differentiable |= -1 << self.arity
                else:
                    self.differentiable |= 1 << self.parameters.index(name)
            return rule

        return declare

    def explains(self, hint: Callable) -> Callable:
        """Declare what to say when the forward fails: hint(*arguments) is a sentence, or None."""
        self.hint = hint
        return hint

    def formulas(self, plan: Plan | None = None) -> list[dict[str, str]]:
        """The rules' formulas, for those who read them."""
        if self.joint is not None:
            return [{"input": "", "formula": self.joint[1]}]
        wanted = self.rules if plan is None else [self.parameters[i] for i in plan.inputs]
        return [{"input": name, "formula": self.rules[name][1]} for name in wanted]

    def locate(self, name: str) -> tuple[int, Any]:
        """Where a name that a rule asks for comes from."""
        if name in self.parameters:
            return ARGUMENT, self.parameters.index(name)
        if name == self.variadic:
            return ARGUMENT, slice(self.arity, None)
        if name == "output":
            return OUTPUT, 0
        if name in self.keeps:
            return KEPT, self.keeps.index(name)
        if self.outputs is not None and name in self.outputs:
            return OUTPUT, self.outputs.index(name)
        argument, _, what = name.rpartition("_")
        kind = {"shape": SHAPE, "dtype": DTYPE}.get(what)
        if kind is None or argument not in (*self.parameters, self.variadic):
            raise TypeError(f"a rule of {self.name} asks for '{name}', which it does not have")
        at = self.arity if argument == self.variadic else self.parameters.index(argument)
        return kind, slice(at, None) if argument == self.variadic else at

    def plan(self, needs: int) -> Plan:
        found = self.plans.get(needs)
        if found is None:
            found = self.plans[needs] = Plan(self, needs)
        return found

    def bind(self, args: tuple, kwargs: dict) -> tuple:
        """All arguments in the forward's order, defaults filled in; else Python's own errors."""
        if kwargs and not NUMPY_NAMES.keys().isdisjoint(kwargs):
            kwargs = {NUMPY_NAMES.get(name, name): value for name, value in kwargs.items()}
        if self.variadic is None and not kwargs and len(args) < self.arity:
            rest = self.defaults[len(args) :]
            if MISSING not in rest:
                return args + rest
        bound = self.__signature__.bind(*args, **kwargs)
        bound.apply_defaults()
        return bound.args + tuple(bound.kwargs.values())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Apply the op to tensors; on plain arrays (inside a rule) just compute."""
        if kwargs and "out" in kwargs and not self.view:
            return _delivered(self, args, kwargs)
        if kwargs or len(args) != self.arity:
            try:
                args = self.bind(args, kwargs)
            except TypeError as error:
                raise TypeError(f"{self.name}(): {error}") from None
        for each in args:
            if isinstance(each, Variable):
                return _apply(self, args)
        if not any(is_array(each) for each in args):
            raise TypeError(
                f"{self.name}(): argument '{self.parameters[0]}' (position 1) must be Tensor, "
                f"not {type(args[0]).__name__}"
            )
        result = self.forward(*args)
        if not self.keeps:
            return result
        return result[0] if not self.many else result[: -len(self.keeps)]


def _delivered(op: Op, args: tuple, kwargs: dict) -> Any:
    """`op(..., out=tensor)`."""
    from labtorch.engine.public import deliver  # which imports this file

    rest = dict(kwargs)
    out = rest.pop("out")
    if out is None:
        return op(*args, **rest)
    return deliver(op.name, lambda: op(*args, **rest), (*args, *rest.values()), out)


def op(formula: str = "", **options: Any) -> Callable[[Callable], Op]:
    """Declare an op; see the module's docstring."""
    return lambda forward: Op(forward, formula, **options)


def _apply(
    op: Op, args: tuple
) -> Any:  # replaced by labtorch.engine.apply, which imports this file
    raise NotImplementedError
