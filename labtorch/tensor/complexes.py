"""Complex tensors: made from parts, and seen as pairs of real numbers."""

from __future__ import annotations

from labtorch.engine.apply import apply
from labtorch.engine.composite import composite
from labtorch.engine.public import FUNCTION, public
from labtorch.ops import arithmetic, complexes
from labtorch.tensor.tensor import Tensor


def _check_pair(name: str, a: Tensor, b: Tensor) -> None:
    if a.dtype is not b.dtype:
        raise RuntimeError(
            f"Expected object of scalar type {a.dtype} but got scalar type {b.dtype} for second "
            "argument"
        )
    if a._array.dtype.kind != "f":
        raise RuntimeError(
            f"Expected both inputs to be Half, Float or Double tensors but got {a.dtype} and "
            f"{b.dtype} ({name})"
        )


@public(FUNCTION, out=True)
def complex(real: Tensor, imag: Tensor) -> Tensor:
    """real + i imag."""
    _check_pair("complex", real, imag)
    return apply(complexes.joined, (real, imag))


@public(FUNCTION, out=True)
@composite
def polar(abs: Tensor, angle: Tensor) -> Tensor:
    """The complex number of the given size and angle."""
    _check_pair("polar", abs, angle)
    return apply(complexes.joined, (abs * arithmetic.cos(angle), abs * arithmetic.sin(angle)))


@public(FUNCTION)
def view_as_real(input: Tensor) -> Tensor:
    """A view with a last dimension of 2: the real and the imaginary part."""
    if not input.is_complex():
        raise RuntimeError("view_as_real is only supported for complex tensors")
    return apply(complexes.as_pairs, (input,))


@public(FUNCTION)
def view_as_complex(input: Tensor) -> Tensor:
    """A view of pairs (the last dimension) as complex numbers."""
    array = input._array
    if array.dtype.kind != "f" or array.dtype.itemsize < 4:
        raise RuntimeError(
            f"view_as_complex is only supported for floating point tensors, but got {input.dtype}"
        )
    if not input.ndim:
        raise RuntimeError("Input tensor must have one or more dimensions")
    if array.shape[-1] != 2:
        raise RuntimeError("Tensor must have a last dimension of size 2")
    if array.strides[-1] != array.itemsize:
        raise RuntimeError("Tensor must have a last dimension with stride 1")
    return apply(complexes.of_pairs, (input,))


@public(FUNCTION)
def real(input: Tensor) -> Tensor:
    """The real part, a view."""
    return input.real


@public(FUNCTION)
def imag(input: Tensor) -> Tensor:
    """The imaginary part, a view."""
    return input.imag
