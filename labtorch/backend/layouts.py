"""How elements lie in memory, by PyTorch's names. Here tensors are strided, whatever is asked for:
a memory format changes how fast PyTorch is, never what it computes."""

from __future__ import annotations


class layout:
    """What a tensor is stored as; `strided` is the one that is here."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> str:
        return self.name


class memory_format(layout):
    """The order of the dimensions in memory."""

    __slots__ = ()


strided = layout("strided")
sparse_coo, sparse_csr = layout("sparse_coo"), layout("sparse_csr")
jagged = layout("jagged")
contiguous_format = memory_format("contiguous_format")
preserve_format = memory_format("preserve_format")
channels_last = memory_format("channels_last")
channels_last_3d = memory_format("channels_last_3d")
