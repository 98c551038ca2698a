"""How numbers are laid on a grid of integers, by PyTorch's names."""

from __future__ import annotations


class qscheme:
    """One scale for a whole tensor or one per channel; zero in the middle, or anywhere."""

    __slots__ = ("name", "per_channel", "symmetric")

    def __init__(self, name: str) -> None:
        self.name = name
        self.per_channel = name.startswith("per_channel")
        self.symmetric = name.endswith("symmetric")

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> str:
        return self.name


per_tensor_affine = qscheme("per_tensor_affine")
per_tensor_symmetric = qscheme("per_tensor_symmetric")
per_channel_affine = qscheme("per_channel_affine")
per_channel_symmetric = qscheme("per_channel_symmetric")
per_channel_affine_float_qparams = qscheme("per_channel_affine_float_qparams")
ALL = (
    per_tensor_affine,
    per_tensor_symmetric,
    per_channel_affine,
    per_channel_symmetric,
    per_channel_affine_float_qparams,
)
BY_NAME = {each.name: each for each in ALL}
