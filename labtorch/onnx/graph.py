"""The ONNX graph under construction."""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np

from labtorch.backend.dtypes import promote
from labtorch.observe import source
from labtorch.onnx.errors import OnnxExporterError
from labtorch.onnx.sizes import Counted, Filled, Inverse, Sym, Triangle
from labtorch.onnx.table import TRANSLATORS
from labtorch.onnx.trace import Constant, Place

FIRST_OPSET, LAST_OPSET, DEFAULT_OPSET = 18, 23, 20
INT_MAX = (1 << 63) - 1


class Value:
    """A tensor of the graph: its name; its dtype and dims where they are known."""

    __slots__ = ("name", "dtype", "dims", "constant", "stored")

    def __init__(
        self, name: str, dtype: Any, dims: tuple | None = None, constant: np.ndarray | None = None
    ) -> None:
        self.name, self.dtype, self.dims, self.constant = name, np.dtype(dtype), dims, constant
        self.stored: Any = None  # the integers that it is made of; see translators.quantization

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def shape(self) -> tuple:
        if self.dims is None:
            raise OnnxExporterError(f"onnx.export: the shape of {self.name} is not known")
        return self.dims

    @property
    def like(self) -> Any:
        """What promotion looks at: an array of this dtype, 0-d if the tensor is."""
        return np.zeros((1,) * self.ndim if self.dims is not None else (1,), self.dtype)


class Graph:
    """Translators call it to add nodes: `g("Mul", x, 2.0)`.

    A number or list among the inputs becomes a constant: a float or number in the dtype of the
    first tensor, a list as int64 (a list may hold sizes that are known at run time only).
    """

    def __init__(self, opset: int, free_parameters: bool = False) -> None:
        import onnx

        self.onnx, self.opset = onnx, opset
        self.free_parameters = free_parameters  # others may take their places when the model runs
        self.nodes: list[Any] = []
        self.initializers: dict[str, Any] = {}
        self.values: dict[int, Value] = {}  # by the trace's numbers
        self.outputs: tuple[Value, ...] = ()  # of the op that is being translated
        self.folded: set[int] = set()  # values that depend on neither inputs nor parameters
        self.sources: dict[str, Value] = {}  # by the names of codes, the floats they were made of
        self.used: set[str] = set()
        self._constants: dict[tuple, Value] = {}
        self._sizes: dict[Any, Value] = {}
        self._lines: dict[Place, str] = {}
        self.at("", None, "")

    def at(self, scope: str, place: Place | None, op_name: str) -> None:
        """Where in the model the nodes that follow belong."""
        self.scope, self.place, self.op_name = scope, place, op_name

    # ---------------------------------------------------------------- nodes
    def __call__(
        self, kind: str, *inputs: Any, outputs: int = 1, dtype: Any = None, **attributes: Any
    ) -> Any:
        """Add a node, and give its result, or a tuple of results."""
        tensors = [x for x in inputs if isinstance(x, Value)]
        like = tensors[0].dtype if tensors else self.dtype
        names = ["" if x is None else self.value(x, like).name for x in inputs]
        while names and not names[-1]:
            names.pop()
        name = self.fresh(f"{self.path}/{kind}")
        made = tuple(f"{name}_output_{i}" for i in range(outputs))
        self.used.update(made)
        attributes = {key: value for key, value in attributes.items() if value is not None}
        node = self.onnx.helper.make_node(kind, names, list(made), name=name, **attributes)
        for key, text in (("namespace", self.scope), ("op", self.op_name), ("source", self.line)):
            if text:
                entry = node.metadata_props.add()
                entry.key, entry.value = key, text
        self.nodes.append(node)
        kind_of = like if dtype is None else dtype
        results = tuple(Value(each, kind_of) for each in made)
        return results if outputs > 1 else results[0]

    @property
    def path(self) -> str:
        return "/" + self.scope.replace(".", "/") if self.scope else ""

    @property
    def line(self) -> str:
        """The user's line, without its folder: a model travels."""
        if self.place is None:
            return ""
        if self.place not in self._lines:
            found = source.describe(*self.place)
            file = os.path.basename(found["file"])
            self._lines[self.place] = f"{file}:{found['line']}: {found['text'].strip()}"
        return self._lines[self.place]

    @property
    def dtype(self) -> np.dtype:
        """Of the result of the op that is being translated."""
        return self.outputs[0].dtype

    def fresh(self, name: str) -> str:
        """`name`, or `name_1`, ... if it is taken."""
        made, count = name, 0
        while made in self.used:
            count += 1
            made = f"{name}_{count}"
        self.used.add(made)
        return made

    # ---------------------------------------------------------------- inputs
    def value(self, x: Any, like: Any = None) -> Value:
        """Anything that can be an argument as a tensor of the graph."""
        if isinstance(x, Value):
            return x
        if isinstance(x, Sym):
            return self.cast(self("Squeeze", self.size(x), [0]), np.dtype(like or np.int64))
        if isinstance(x, Inverse):
            return self("Reciprocal", self.cast(self.value(x.of, np.int64), self.dtype))
        if isinstance(x, (list, tuple)):
            return self.ints(x)
        if isinstance(x, np.ndarray):
            return self.constant(x)
        return self.constant(np.asarray(x, like))

    def constant(self, array: np.ndarray, name: str | None = None) -> Value:
        array = np.asarray(array)
        key = (array.dtype.str, array.shape, array.tobytes()) if name is None else (name,)
        if key not in self._constants:
            made = self.fresh(name or f"{self.path}/constant")
            plain = np.ascontiguousarray(array).reshape(array.shape)
            self.initializers[made] = plain
            fixed = None if name is not None and self.free_parameters else array
            self._constants[key] = Value(made, array.dtype, array.shape, fixed)
        return self._constants[key]

    def ints(self, numbers: Any) -> Value:
        """A list of integers, some known at run time only, as an int64 vector."""
        numbers = list(numbers)
        if not any(isinstance(n, (Sym, Value)) for n in numbers):
            return self.constant(np.array([int(n) for n in numbers], np.int64))
        parts: list[Value] = []
        for n in numbers:
            if isinstance(n, Sym):
                parts.append(self.size(n))
            elif isinstance(n, Value):
                parts.append(self("Reshape", self.cast(n, np.int64), [1]))
            else:
                parts.append(self.constant(np.array([int(n)], np.int64)))
        return parts[0] if len(parts) == 1 else self("Concat", *parts, axis=0, dtype=np.int64)

    def size(self, sym: Sym) -> Value:
        """A number that is known at run time only, as a vector of one element."""
        if sym not in self._sizes:
            total: Value | None = None
            for factor, places in sym.terms:
                term: Value | None = None
                for number, axis in places:
                    one = self("Shape", self.values[number], start=axis, end=axis + 1)
                    one.dtype = np.dtype(np.int64)
                    term = one if term is None else self("Mul", term, one)
                if factor != 1:
                    term = self("Mul", term, [factor])
                total = term if total is None else self("Add", total, term)
            if sym.constant:
                total = self("Add", total, [sym.constant])
            assert total is not None
            self._sizes[sym] = total
        return self._sizes[sym]

    def argument(self, x: Any) -> Any:
        """An argument of an op, its tensors as values."""
        if isinstance(x, Constant):
            return self.constant(x.array, x.name)
        if isinstance(x, Filled):
            value = self.constant(x.array)
            made = self("Expand", value, x.dims)
            return self.shaped(made, x.dims)
        if isinstance(x, Counted):
            places = self("Range", 0, self.value(x.dims[x.axis], np.int64), 1, dtype=np.int64)
            counted = self("Mul", self.cast(places, x.step.dtype), np.asarray(x.step))
            counted = self("Add", counted, np.asarray(x.start, x.step.dtype))
            shape = [-1 if axis == x.axis else 1 for axis in range(len(x.dims))]
            return self.shaped(self("Reshape", counted, shape), x.dims)
        if isinstance(x, Triangle):
            inside = self.triangle(x.dims[-2], x.dims[-1], x.diagonal)
            made = self.choice(inside, self.value(x.high), self.value(x.low))
            if len(x.dims) > 2:
                made = self("Unsqueeze", made, list(range(len(x.dims) - 2)))
            return self.shaped(made, x.dims)
        if hasattr(x, "number"):
            return self.values[x.number]
        if isinstance(x, tuple):
            return tuple(self.argument(each) for each in x)
        if isinstance(x, slice):
            return slice(*(self.argument(each) for each in (x.start, x.stop, x.step)))
        return x

    # ---------------------------------------------------------------- what translators share
    def shaped(self, value: Value, dims: Any) -> Value:
        value.dims = tuple(dims)
        return value

    def cast(self, value: Any, dtype: Any) -> Value:
        """`value` in a dtype."""
        dtype = np.dtype(dtype)
        if not isinstance(value, Value):
            return self.value(value, dtype)
        if value.dtype == dtype:
            return value
        if value.constant is not None and value.constant.size <= 1:
            return self.constant(value.constant.astype(dtype))
        kind = self.onnx.helper.np_dtype_to_tensor_dtype(dtype)
        made = self("Cast", value, to=kind, dtype=dtype)
        made.dims = value.dims
        return made

    def floating(self, value: Any) -> Value:
        return self.cast(value, self.dtype)

    def common(self, *operands: Any) -> list[Value]:
        """Operands in their common dtype."""
        kind = promote(*(x.like if isinstance(x, Value) else _plain(x) for x in operands))
        return [self.cast(x, kind) for x in operands]

    def choice(self, condition: Value, a: Value, b: Value) -> Value:
        """a where the condition is true, else b; both of one dtype."""
        if a.dtype.kind == "b":  # onnxruntime chooses between numbers only
            other = self("And", self("Not", condition), b)
            return self("Or", self("And", condition, a), other)  # type: ignore[no-any-return]
        return self("Where", condition, a, b, dtype=a.dtype)  # type: ignore[no-any-return]

    def triangle(self, rows: Any, columns: Any, diagonal: int) -> Value:
        """Where column - row >= diagonal, as a boolean matrix."""
        i = self("Range", 0, self.value(rows, np.int64), 1, dtype=np.int64)
        j = self("Range", 0, self.value(columns, np.int64), 1, dtype=np.int64)
        apart = self("Sub", j, self("Unsqueeze", i, [1]))
        return self("GreaterOrEqual", apart, diagonal, dtype=bool)

    def shape_of(self, value: Value) -> Value:
        """A value's shape, as a constant where it is one."""
        if value.dims is not None and all(isinstance(d, int) for d in value.dims):
            return self.ints(value.dims)
        return self("Shape", value, dtype=np.int64)

    def reshape(self, value: Value, shape: Any) -> Value:
        """To a shape of which one size may be known at run time only, or all."""
        shape = list(shape)
        unseen = [i for i, n in enumerate(shape) if n is None]  # no formula gives it: the rest does
        unknown = unseen or [i for i, n in enumerate(shape) if isinstance(n, Sym)]
        plain = list(shape)
        if len(unknown) == 1 and -1 not in shape and 0 not in shape:
            plain[unknown[0]] = -1
        made = self("Reshape", value, plain, allowzero=int(0 in shape) or None)
        return self.shaped(made, shape) if -1 not in shape else made

    def permute(self, value: Value, order: Any) -> Value:
        order = [int(d) % len(order) for d in order]
        made = self("Transpose", value, perm=order)
        made.dims = None if value.dims is None else tuple(value.dims[d] for d in order)
        return made

    def call(self, name: str, *args: Any) -> Any:
        """Translate another op in the place of this one."""
        return TRANSLATORS[name](self, *args)


def _plain(x: Any) -> Any:
    return x.value if isinstance(x, Sym) else 1.0 if isinstance(x, Inverse) else x


def product(numbers: Any) -> int:
    """The product of sizes, all of which must be fixed."""
    return math.prod(int(n) for n in numbers)
