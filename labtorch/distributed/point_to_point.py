"""Messages from one rank to another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from labtorch.distributed import mpi
from labtorch.distributed.buffers import buffer, fill
from labtorch.distributed.collectives import _root
from labtorch.distributed.groups import ProcessGroup, chosen
from labtorch.distributed.work import Work
from labtorch.tensor.tensor import Tensor


def isend(
    tensor: Tensor,
    dst: int | None = None,
    group: Any = None,
    tag: int = 0,
    group_dst: int | None = None,
) -> Work:
    """Begin to send `tensor` to rank `dst`; it may not be changed before `wait()`."""
    group = chosen(group, "send")
    to = _peer(group, dst, group_dst, "dst")
    numbers = buffer(tensor, "send")
    request = group.comm.Isend(mpi.bytes_of(numbers), to, tag)
    kept = [numbers]  # until they are sent
    return Work(group, request, f"send to rank {group.ranks[to]}", lambda _: kept.clear())


def send(
    tensor: Tensor,
    dst: int | None = None,
    group: Any = None,
    tag: int = 0,
    group_dst: int | None = None,
) -> None:
    """Send `tensor` to rank `dst`, which calls `recv` with a tensor of the same size and dtype."""
    isend(tensor, dst, group, tag, group_dst).wait()


def irecv(
    tensor: Tensor,
    src: int | None = None,
    group: Any = None,
    tag: int = 0,
    group_src: int | None = None,
) -> Work:
    """Begin to receive `tensor` from rank `src`, or from any; it is there after `wait()`."""
    group = chosen(group, "recv")
    anyone = src is None and group_src is None
    place = mpi.library().ANY_SOURCE if anyone else _peer(group, src, group_src, "src")
    numbers = buffer(tensor, "recv")
    request = group.comm.Irecv(mpi.bytes_of(numbers), place, tag)
    sender = "any rank" if anyone else f"rank {group.ranks[place]}"

    def finish(status: Any) -> int:
        came = status.Get_count(mpi.library().BYTE) if status is not None else numbers.nbytes
        if came != numbers.nbytes:
            raise RuntimeError(
                f"recv: {came} bytes came from {sender} for a tensor of {numbers.nbytes}; the "
                "tensors of send and recv need the same size and dtype"
            )
        fill(tensor, numbers, "recv")
        return group.ranks[status.Get_source()] if status is not None else -1

    return Work(group, request, f"recv from {sender}", finish)


def recv(
    tensor: Tensor,
    src: int | None = None,
    group: Any = None,
    tag: int = 0,
    group_src: int | None = None,
) -> int:
    """Receive `tensor` from rank `src`, or from any, and tell from whom."""
    work = irecv(tensor, src, group, tag, group_src)
    try:
        return work.result()
    except mpi.library().Exception as error:
        raise RuntimeError(
            f"recv: more came than the {tensor.numel() * tensor.element_size()} bytes of the "
            f"tensor: the tensors of send and recv need the same size and dtype ({error})"
        ) from None


def _peer(group: ProcessGroup, rank: int | None, place: int | None, argument: str) -> int:
    if rank is None and place is None:
        raise ValueError(f"{argument} is missing")
    peer = _root(group, rank, place, argument)
    if peer == group.rank():
        raise ValueError(f"Invalid {argument} rank: a rank sends nothing to itself")
    return peer


class P2POp:
    """One `isend` or `irecv` of a batch."""

    def __init__(
        self,
        op: Callable[..., Work],
        tensor: Tensor,
        peer: int | None = None,
        group: Any = None,
        tag: int = 0,
        group_peer: int | None = None,
    ) -> None:
        if op not in (isend, irecv):
            raise ValueError("P2POp is for isend or irecv")
        self.op, self.tensor, self.peer, self.group = op, tensor, peer, group
        self.tag, self.group_peer = tag, group_peer


def batch_isend_irecv(p2p_op_list: list[P2POp]) -> list[Work]:
    """Begin them all."""
    return [
        each.op(each.tensor, each.peer, each.group, each.tag, each.group_peer)
        for each in p2p_op_list
    ]
