"""Which dimensions of the inputs are dynamic, as dynamic_axes or dynamic_shapes say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from labtorch.onnx.structure import Arguments

Place = tuple[int, int]  # the number of an input, and a dimension of it


@dataclass
class Axis:
    """A dynamic dimension: its name, where inputs have it, and its size in each of the runs."""

    name: str
    sizes: list[int]
    places: list[Place] = field(default_factory=list)


def dynamic_axes_of(
    arguments: Arguments, names: list[str], outputs: list[str], given: Any, shapes: Any
) -> list[Axis]:
    """One Axis a name."""
    wanted: dict[str, Axis] = {}
    if shapes is not None:
        given = _of_shapes(arguments, names, shapes)
    for key, dims in (given or {}).items():
        number = _number(key, arguments, names, outputs)
        if number is None:
            continue  # the sizes of an output follow from those of the inputs
        array = arguments.arrays[number]
        labels = dims if isinstance(dims, dict) else dict.fromkeys(dims)
        for dim, label in labels.items():
            if not isinstance(dim, int) or not -array.ndim <= dim < array.ndim:
                raise ValueError(
                    f"onnx.export: dynamic_axes names dimension {dim} of '{key}', which has "
                    f"{array.ndim}"
                )
            name, size = str(label or f"{key}_dim_{dim}"), array.shape[dim]
            axis = wanted.setdefault(name, Axis(name, [size]))
            if axis.sizes[0] != size:
                raise ValueError(
                    f"onnx.export: dimension '{name}' is {axis.sizes[0]} and {size} in the "
                    "example inputs; one name means one size"
                )
            axis.places.append((number, dim % array.ndim))
    return list(wanted.values())


def _number(key: str, arguments: Arguments, names: list[str], outputs: list[str]) -> int | None:
    if key in names:
        return names.index(key)
    if key in arguments.names:
        return arguments.names.index(key)
    if key in outputs:
        return None
    raise ValueError(f"onnx.export: dynamic_axes names '{key}'; the inputs are {', '.join(names)}")


def _of_shapes(arguments: Arguments, names: list[str], shapes: Any) -> dict[str, Any]:
    """PyTorch's `dynamic_shapes`: per argument {dim: name, or an object with a name}, or a list."""
    if not isinstance(shapes, dict):
        shapes = dict(zip(arguments.names, shapes))
    found: dict[str, Any] = {}
    for key, dims in shapes.items():
        if dims is None:
            continue
        pairs = dims.items() if isinstance(dims, dict) else enumerate(dims)
        name = names[arguments.names.index(key)] if key in arguments.names else key
        found[name] = {
            d: getattr(label, "__name__", None) or (label if isinstance(label, str) else "")
            for d, label in pairs
            if label is not None and not isinstance(label, int)
        }
    return found
