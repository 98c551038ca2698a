"""Sequences of different lengths in one tensor: side by side and padded, or packed.

Packed, the rows of all steps follow each other, the longest sequence first, without any padding:
step t has `batch_sizes[t]` rows, one for each sequence that is longer than t.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from labtorch.backend.arrays import namespace
from labtorch.engine.composite import composite
from labtorch.engine.variable import wrap
from labtorch.ops.arithmetic import where
from labtorch.ops.shape import cat, stack, transpose
from labtorch.tensor.creation import as_tensor, full
from labtorch.tensor.tensor import Tensor


class _Packed(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


_Packed.__name__ = "PackedSequence"


class PackedSequence(_Packed):
    """Sequences without padding; made by `pack_padded_sequence` or `pack_sequence`.

    `data` (rows of all steps, ...), `batch_sizes` (T), and, for sequences that were not sorted by
    length, the permutation that sorted them and its inverse.
    """

    def __new__(
        cls,
        data: Any,
        batch_sizes: Tensor | None = None,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> PackedSequence:
        if batch_sizes is None:  # the first two as a pair
            data, batch_sizes = data
        if batch_sizes.device.type != "cpu":
            raise ValueError("batch_sizes should always be on CPU; data may be anywhere")
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """As `Tensor.to`, for the data; the permutations go with it to another device."""
        data = self.data.to(*args, **kwargs)
        if data is self.data:
            return self
        moved = (each if each is None else each.to(data.device) for each in self[2:])
        return type(self)(data, self.batch_sizes, *moved)

    def cpu(self) -> PackedSequence:
        return self.to("cpu")

    def cuda(self, device: Any = "cuda") -> PackedSequence:
        return self.to(device)

    def double(self) -> PackedSequence:
        return self._as("double")

    def float(self) -> PackedSequence:
        return self._as("float")

    def half(self) -> PackedSequence:
        return self._as("half")

    def long(self) -> PackedSequence:
        return self._as("long")

    def int(self) -> PackedSequence:
        return self._as("int")

    def _as(self, kind: str) -> PackedSequence:
        return type(self)(getattr(self.data, kind)(), *self[1:])

    @property
    def is_cuda(self) -> bool:
        return self.data.is_cuda


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The permutation that undoes `permutation`."""
    return None if permutation is None else permutation.argsort()  # type: ignore[attr-defined]


@composite
def pad_sequence(
    sequences: Tensor | Sequence[Tensor],
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:
    """Stack sequences (L_i, ...) to (L, N, ...), the shorter ones filled with `padding_value`."""
    if not isinstance(sequences, Iterable):
        raise RuntimeError(
            "pad_sequence: Expected iterable for input sequences, but got arg of type: "
            f"{type(sequences)}"
        )
    if padding_side not in ("left", "right"):
        raise RuntimeError(
            f"Expected padding_side to be one of left or right, but got {padding_side}."
        )
    sequences = list(sequences)
    if not sequences:
        raise RuntimeError("received an empty list of sequences")
    longest = max(len(each) for each in sequences)

    def padded(each: Tensor) -> Tensor:
        missing = longest - len(each)
        if not missing:
            return each
        fill = full((missing, *each.shape[1:]), padding_value, dtype=each.dtype, device=each.device)
        return cat([each, fill] if padding_side == "right" else [fill, each], 0)

    return stack([padded(each) for each in sequences], 0 if batch_first else 1)


@composite
def unpad_sequence(
    padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False
) -> list[Tensor]:
    """The sequences that `pad_sequence` stacked."""
    rows = padded_sequences if batch_first else transpose(padded_sequences, 0, 1)
    return [row[: int(length)] for row, length in zip(rows, lengths, strict=True)]


@composite
def pack_padded_sequence(
    input: Tensor,
    lengths: Tensor | Sequence[int],
    batch_first: bool = False,
    enforce_sorted: bool = True,
) -> PackedSequence:
    """Pack `input`, (T, N, ...) or (N, T, ...), whose sequences have these lengths.

    They are in the order of falling lengths, or, without `enforce_sorted`, are brought into it.
    """
    if isinstance(lengths, Tensor):
        lengths = lengths.tolist()
    order: Tensor | None = None
    long = [int(n) for n in lengths]
    if batch_first:
        input = transpose(input, 0, 1)
    if not enforce_sorted:
        indices = sorted(range(len(long)), key=lambda at: -long[at])
        order = as_tensor(indices, device=input.device)
        long = [long[at] for at in indices]
    if len(long) != input.shape[1]:
        raise RuntimeError(
            f"Expected `len(lengths)` to be equal to batch_size, but got {len(long)} "
            f"(batch_size={input.shape[1]})"
        )
    if any(a < b for a, b in zip(long, long[1:])):
        raise RuntimeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True; "
            "with enforce_sorted=False the sequences are sorted here"
        )
    if not long or long[-1] <= 0:
        raise RuntimeError(
            "Length of all samples has to be greater than 0, but found an element in 'lengths' "
            "that is <= 0"
        )
    if long[0] > input.shape[0]:
        raise RuntimeError(f"a length is {long[0]}, but the input has {input.shape[0]} steps")
    if order is not None:
        input = input[:, order]
    sizes = [sum(n > t for n in long) for t in range(long[0])]
    data = cat([input[t, :n] for t, n in enumerate(sizes)], 0)
    return PackedSequence(data, as_tensor(sizes), order)


@composite
def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, Tensor]:
    """The inverse of `pack_padded_sequence`: sequences (T, N, ...) or (N, T, ...), and lengths.

    T is the longest sequence's, or `total_length`.
    """
    sizes = sequence.batch_sizes.tolist()
    steps = len(sizes) if total_length is None else total_length
    if steps < len(sizes):
        raise ValueError(
            "Expected total_length to be at least the length of the longest sequence in input, "
            f"but got total_length={total_length} and max sequence length being {len(sizes)}"
        )
    data = sequence.data
    lib = namespace(data._array)
    sizes += [0] * (steps - len(sizes))
    active = lib.arange(sizes[0]) < lib.asarray(sizes)[:, None]
    rows = lib.where(active, active.cumsum().reshape(active.shape) - 1, 0)
    lengths = active.sum(axis=0)
    if sequence.unsorted_indices is not None:
        back = sequence.unsorted_indices._array
        active, rows, lengths = active[:, back], rows[:, back], lengths[back]
    if batch_first:
        active, rows = active.T, rows.T
    filled = data[wrap(rows)]
    shown = wrap(active.reshape(active.shape + (1,) * (data.ndim - 1)))
    return where(shown, filled, padding_value), wrap(lib.asarray(lengths))


@composite
def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Pack sequences (L_i, ...)."""
    lengths = [len(each) for each in sequences]
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


@composite
def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The sequences that `pack_sequence` packed."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
