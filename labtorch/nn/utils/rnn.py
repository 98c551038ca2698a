"""Sequences of different lengths in one tensor."""

from __future__ import annotations

from collections.abc import Sequence

from labtorch.ops.shape import cat, stack
from labtorch.tensor.creation import full
from labtorch.tensor.tensor import Tensor


def pad_sequence(
    sequences: Sequence[Tensor],
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:
    """Stack sequences (L_i, ...) to (L, N, ...), the shorter ones filled with `padding_value`."""
    if padding_side not in ("left", "right"):
        raise ValueError(f"padding_side should be 'left' or 'right', but got '{padding_side}'")
    longest = max(len(each) for each in sequences)

    def padded(each: Tensor) -> Tensor:
        missing = longest - len(each)
        if not missing:
            return each
        fill = full((missing, *each.shape[1:]), padding_value, dtype=each.dtype)
        return cat([each, fill] if padding_side == "right" else [fill, each], 0)

    return stack([padded(each) for each in sequences], 0 if batch_first else 1)


def unpad_sequence(
    padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False
) -> list[Tensor]:
    """The sequences that `pad_sequence` stacked."""
    if not batch_first:
        padded_sequences = padded_sequences.transpose(0, 1)  # type: ignore[attr-defined]
    return [row[: int(length)] for row, length in zip(padded_sequences, lengths)]
