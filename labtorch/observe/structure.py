"""From a step's notes to its graph: names, paths, formulas, saved tensors, source lines."""

from __future__ import annotations

from types import CodeType, FrameType
from typing import Any

import numpy as np

from labtorch.backend.arrays import namespace
from labtorch.engine import events
from labtorch.engine.op import ARGUMENT, KEPT, OUTPUT
from labtorch.observe import cost, source
from labtorch.observe.snapshot import Edge, Graph, Saved, Scope


def variable_name(thing: object, frame: FrameType | None) -> str:
    """What the user's code calls a tensor or a model at the moment, or ''."""
    if frame is None:
        return ""
    for names in (frame.f_locals, frame.f_globals):
        for name, value in list(names.items()):
            if value is thing and not name.startswith("_"):
                return name
    return ""


def build(
    entries: list, order: list[int], scopes: list[tuple], places: list[tuple[CodeType, int]]
) -> Graph:
    """The graph of the notes in `entries`, whose numbers in the step were `order`."""
    new = {old: at for at, old in enumerate(order)}
    plain_scopes, names = _scopes(scopes)
    nodes: list[Any] = []
    edges: list[Edge] = []
    for at, entry in enumerate(entries):
        shape, dtype = entry.outputs[0]
        node: dict[str, Any] = {
            "id": at,
            "kind": "op",
            "name": "",
            "scope": entry.scope,
            "function": None,
            "shape": list(shape),
            "dtype": dtype.name,
            "device": "cpu",
            "requires_grad": False,
            "arguments": {},
            "formula": "",
            "vjps": [],
            "saved": [],
            "states": [],
            "nbytes": sum(_nbytes(*each) for each in entry.outputs),
            "flops": None,
            "source": None,
        }
        if entry.op is None:
            _describe_leaf(node, entry, names)
        else:
            _describe_op(node, entry, entries, new, places)
            for position, old, output in entry.inputs:
                made = entries[new[old]].outputs[output]
                edges.append(
                    {
                        "source": new[old],
                        "target": at,
                        "argument": argument(entry.op, position),
                        "output": output,
                        "shape": list(made[0]),
                        "dtype": made[1].name,
                    }
                )
        nodes.append(node)
    unused = _unused(scopes, {events.identity(e.extra[1]) for e in entries if e.op is None})
    return {"key": "", "nodes": nodes, "edges": edges, "scopes": plain_scopes, "unused": unused}


def _unused(scopes: list[tuple], taken: set[int]) -> list[str]:
    """The trainable parameters that no op took, of the models called of which one took some."""
    found: dict[str, None] = {}
    for root in [module for parent, ref, *_ in scopes if parent is None and (module := ref())]:
        own = [(name, p) for name, p in root.named_parameters() if p.requires_grad]
        idle = [name for name, parameter in own if events.identity(parameter) not in taken]
        if len(idle) < len(own):
            found |= dict.fromkeys(idle)
    return list(found)


def begins(graph: Graph, part: Graph) -> bool:
    """Is `part` what `graph` begins with? Then its nodes have the same numbers in both."""
    count = len(part["nodes"])
    return (
        _identities(graph["nodes"][:count]) == _identities(part["nodes"])
        and [e for e in graph["edges"] if e["target"] < count] == part["edges"]
        and graph["scopes"][: len(part["scopes"])] == part["scopes"]
    )


def _identities(nodes: list) -> list[tuple]:
    return [(n["kind"], n["name"], n["scope"], n["shape"], n["source"]) for n in nodes]


def _nbytes(shape: tuple, dtype: np.dtype) -> int:
    return int(np.prod(shape, dtype=np.int64)) * dtype.itemsize


def argument(op: Any, position: int) -> str:
    """The name of an op's argument; of a list's elements, with their number."""
    if position < op.arity:
        return op.parameters[position]
    return f"{op.variadic}[{position - op.arity}]"


def _describe_leaf(node: dict, entry: Any, names: dict[int, tuple[str, str, int | None]]) -> None:
    variable, tensor = entry.extra
    node["device"], node["requires_grad"] = str(tensor.device), bool(entry.tensor)
    path = names.get(events.identity(tensor))
    if path is not None:
        node["kind"], node["name"], node["scope"] = path
    elif entry.tensor:
        node["kind"], node["name"] = "parameter", variable or "parameter"
        node["scope"] = None
    else:
        node["kind"] = "input" if variable else "constant"
        node["name"] = variable or "constant"
        if entry.scope is not None and variable:
            node["scope"] = None  # an input comes from outside the modules


def _describe_op(
    node: dict, entry: Any, entries: list, new: dict, places: list[tuple[CodeType, int]]
) -> None:
    op = entry.op
    plan, requires_grad = entry.tensor or (None, False)
    node["name"], node["requires_grad"], node["formula"] = op.name, requires_grad, op.formula
    node["function"] = entry.function if entry.function != op.name else None
    node["arguments"] = {
        argument(op, position): value
        if isinstance(value, (bool, int, float, str)) or value is None
        else repr(value)[:80]
        for position, value in entry.extra
    }
    if entry.source >= 0:
        node["source"] = source.describe(*places[entry.source])
    node["states"] = list(op.keeps)
    shapes = {
        argument(op, position): list(entries[new[old]].outputs[output][0])
        for position, old, output in entry.inputs
    }
    settings = {argument(op, position): value for position, value in entry.extra}
    node["flops"] = cost.flops(op.name, shapes, node["shape"], settings)
    if plan is None:
        return
    node["vjps"] = op.formulas(plan)
    by_position = {position: (new[old], output) for position, old, output in entry.inputs}
    saved: list[Saved] = []

    def keep(name: str, spec: tuple, node: int | None, output: int) -> None:
        shape, dtype = spec
        saved.append(
            {
                "name": name,
                "shape": list(shape),
                "dtype": dtype.name,
                "nbytes": _nbytes(shape, dtype),
                "node": node,
                "output": output,
            }
        )

    for name, (kind, at) in zip(plan.names, plan.saves):
        if kind == ARGUMENT:
            several = isinstance(at, slice)
            for position in sorted(by_position) if several else [at]:
                if position in by_position and (not several or position >= at.start):
                    origin, output = by_position[position]
                    label = argument(op, position)
                    keep(label, entries[origin].outputs[output], origin, output)
        elif kind == OUTPUT and at < len(entry.outputs):
            keep(name, entry.outputs[at], node["id"], at)
        elif kind == KEPT and op.keeps[at] in entry.kept:
            keep(name, entry.kept[op.keeps[at]], None, 0)
    node["saved"] = saved


def _scopes(scopes: list[tuple]) -> tuple[list[Scope], dict[int, tuple[str, str, int | None]]]:
    """The module calls; and by identity of a parameter or buffer: kind, path, and first scope."""
    plain: list[Scope] = []
    names: dict[int, tuple[str, str, int | None]] = {}
    roots: list[int] = []
    for at, (parent, reference, kind, called) in enumerate(scopes):
        module = reference()
        if parent is None:
            roots.append(at)
            path, name = "", called or kind
        else:
            path = _path(scopes, roots, at, module)
            name = path.rsplit(".", 1)[-1] or kind
        plain.append({"id": at, "parent": parent, "name": name, "path": path, "type": kind})
        if module is None:
            continue
        # a parameter is drawn in the scope of the module that owns it, under its state_dict path
        prefix = f"{path}." if path else ""
        for kind_of, table in (("parameter", "_parameters"), ("buffer", "_buffers")):
            for own, tensor in getattr(module, table, {}).items():
                if tensor is not None:
                    names.setdefault(events.identity(tensor), (kind_of, prefix + own, at))
    for root in roots:
        _name_the_rest(scopes, plain, root, names)
    return plain, names


def _name_the_rest(
    scopes: list[tuple], plain: list[Scope], root: int, names: dict[int, tuple]
) -> None:
    """Name the parameters of modules that are not called themselves, as attention's `out_proj`:
    they are drawn in the module around that was."""
    model = scopes[root][1]()
    if model is None:
        return
    called = {scope["path"]: at for at, scope in reversed(list(enumerate(plain))) if at >= root}
    for path, parameter in model.named_parameters():
        outer = path
        while outer and outer not in called:
            outer = outer.rpartition(".")[0]
        found = ("parameter", path, called.get(outer, root))
        names.setdefault(events.identity(parameter), found)


def _path(scopes: list[tuple], roots: list[int], at: int, module: Any) -> str:
    """A module's path in state_dict from the root of its call."""
    top = at
    while scopes[top][0] is not None:
        top = scopes[top][0]
    root = scopes[top][1]()
    if root is None or module is None:
        return ""
    for path, each in root.named_modules():
        if each is module:
            return path
    return ""


def nonfinite_leaf(entries: list, at: int | None) -> int | None:
    """A leaf that was not finite before any op touched it, if the op at `at` took one."""
    if at is None or entries[at].op is None:
        return None
    for _, origin, _ in entries[at].inputs:
        entry = entries[origin]
        if entry.op is None and entry.extra[1]._array.dtype.kind == "f":
            array = entry.extra[1]._array
            if not namespace(array).isfinite(array).all():
                return origin
    return None
