"""Operations in which every rank of a group takes part.

Before numbers are sent, the ranks compare what they were called with (a message of 16 bytes), so
that a wrong shape on one rank is an error on all of them and not a wait or wrong numbers. With
`async_op=True` there is nothing to wait for yet, and nothing is compared.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import numpy as np

from labtorch.backend.arrays import namespace
from labtorch.distributed import mpi
from labtorch.distributed.buffers import buffer, checked, fill
from labtorch.distributed.groups import ProcessGroup, ReduceOp, chosen
from labtorch.distributed.work import Work
from labtorch.tensor.tensor import Tensor

OPERATIONS = {each for each in vars(ReduceOp) if each.isupper()}


# ---------------------------------------------------------------- what they share
def agree(group: ProcessGroup, what: str, *details: Any) -> None:
    """Meet, and raise on every rank if they do not all call the same."""
    text = f"{what}({', '.join(map(str, details))})"
    code = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=7).digest(), "little")
    codes = np.array([code, -code])
    MPI = mpi.library()
    group.wait(group.comm.Iallreduce(MPI.IN_PLACE, codes, MPI.MAX), what)
    if codes[0] == -codes[1]:
        return
    mine = np.frombuffer(text.encode()[:200].ljust(200), np.uint8)
    every = np.empty((group.size(), 200), np.uint8)
    group.wait(group.comm.Iallgather(mine, every), what)
    said = [bytes(row).decode(errors="replace").strip() for row in every]
    raise RuntimeError(
        f"{what}: the ranks do not call the same: "
        + "; ".join(f"rank {rank} calls {each}" for rank, each in zip(group.ranks, said))
    )


def _run(
    group: ProcessGroup,
    what: str,
    start: Callable[[], Any],
    finish: Callable[[Any], Any],
    async_op: bool,
    details: Sequence[Any] = (),
) -> Work | None:
    if not async_op:
        agree(group, what, *details)
    work = Work(group, start(), what, finish)
    if async_op:
        return work
    work.wait()
    return None


def _kind(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).rpartition('.')[2]} {list(tensor.shape)}"


def _reducible(numbers: Any, op: str, what: str) -> Any:
    """Numbers of a kind that MPI and NCCL can compute with."""
    if op not in OPERATIONS:
        raise ValueError(f"{what}: op is one of ReduceOp's {', '.join(sorted(OPERATIONS))}: {op!r}")
    kind = numbers.dtype.kind
    if op in ("MIN", "MAX") and kind == "c":
        raise ValueError(f"{what} does not support ReduceOp.{op} on complex tensors")
    if op in ("BAND", "BOR", "BXOR") and kind not in "biu":
        raise ValueError(f"{what}: ReduceOp.{op} is for integers, not for {numbers.dtype}")
    if kind == "b":
        return numbers.astype(np.int64)
    return numbers.astype(np.float32) if numbers.dtype == np.float16 else numbers


def _reduced(numbers: Any, op: str, size: int) -> Any:
    """The mean of a sum, where it was asked for."""
    if op == "AVG":
        xp = namespace(numbers)
        divide = xp.floor_divide if numbers.dtype.kind in "iu" else xp.divide
        divide(numbers, size, out=numbers)
    return numbers


def _several(tensors: Any, like: Tensor, n: int, what: str, argument: str) -> list[Tensor]:
    """A list of tensors, one for each rank, of the shape and dtype of `like`."""
    if not isinstance(tensors, (list, tuple)) or len(tensors) != n:
        raise ValueError(f"{what}: {argument} needs one tensor for each of the {n} ranks")
    for each in tensors:
        if not isinstance(each, Tensor) or _kind(each) != _kind(like):
            other = _kind(each) if isinstance(each, Tensor) else type(each).__name__
            raise ValueError(f"{what}: {argument} holds {other} beside a tensor {_kind(like)}")
    return list(tensors)


# ---------------------------------------------------------------- all get the same
def all_reduce(
    tensor: Tensor, op: str = ReduceOp.SUM, group: Any = None, async_op: bool = False
) -> Work | None:
    r"""Replace `tensor` on every rank by the sum (or `op`) over the ranks, y = \sum_r x_r."""
    group = chosen(group, "all_reduce")
    carrier = group.carrier(checked(tensor, "all_reduce"), op)
    numbers = _reducible(carrier.own(tensor._array), op, "all_reduce")
    return _run(
        group,
        "all_reduce",
        lambda: carrier.all_reduce(numbers, op),
        lambda _: fill(tensor, _reduced(numbers, op, group.size()), "all_reduce"),
        async_op,
        (_kind(tensor), op),
    )


def reduce(
    tensor: Tensor,
    dst: int | None = None,
    op: str = ReduceOp.SUM,
    group: Any = None,
    async_op: bool = False,
    group_dst: int | None = None,
) -> Work | None:
    """As `all_reduce`, but only rank `dst` gets the result; the others keep what they have."""
    group = chosen(group, "reduce")
    root = _root(group, dst, group_dst, "dst")
    carrier = group.carrier(checked(tensor, "reduce"), op)
    numbers = _reducible(carrier.own(tensor._array), op, "reduce")
    result = carrier.zeros(numbers.shape, numbers.dtype)

    def finish(_: Any) -> None:
        if group.rank() == root:
            fill(tensor, _reduced(result, op, group.size()), "reduce")

    return _run(
        group,
        "reduce",
        lambda: carrier.reduce(numbers, result, op, root),
        finish,
        async_op,
        (_kind(tensor), op, f"dst={root}"),
    )


def broadcast(
    tensor: Tensor,
    src: int | None = None,
    group: Any = None,
    async_op: bool = False,
    group_src: int | None = None,
) -> Work | None:
    """Give `tensor` on every rank the numbers that it has on rank `src`."""
    group = chosen(group, "broadcast")
    root = _root(group, src, group_src, "src")
    carrier = group.carrier(checked(tensor, "broadcast"))
    numbers = carrier.own(tensor._array)

    def finish(_: Any) -> None:
        if group.rank() != root:
            fill(tensor, numbers, "broadcast")

    return _run(
        group,
        "broadcast",
        lambda: carrier.broadcast(numbers, root),
        finish,
        async_op,
        (_kind(tensor), f"src={root}"),
    )


def _root(group: ProcessGroup, rank: int | None, place: int | None, argument: str) -> int:
    """The place in the group that is meant: of a rank of the job, or as it stands."""
    if rank is not None and place is not None:
        raise ValueError(f"give {argument} or group_{argument}, not both")
    if place is not None:
        if not 0 <= place < group.size():
            raise ValueError(f"group_{argument}={place} is not in a group of {group.size()}")
        return place
    return group.place_of(0 if rank is None else rank, argument)


def all_gather(
    tensor_list: list[Tensor], tensor: Tensor, group: Any = None, async_op: bool = False
) -> Work | None:
    """Fill `tensor_list` on every rank with the tensors of all ranks, in their order."""
    group = chosen(group, "all_gather")
    carrier = group.carrier(checked(tensor, "all_gather"))
    _several(tensor_list, tensor, group.size(), "all_gather", "tensor_list")
    numbers = carrier.own(tensor._array)
    every = carrier.zeros((group.size(), *numbers.shape), numbers.dtype)

    def finish(_: Any) -> None:
        for each, row in zip(tensor_list, every):
            fill(each, row, "all_gather")

    return _run(
        group,
        "all_gather",
        lambda: carrier.all_gather(numbers, every),
        finish,
        async_op,
        (_kind(tensor),),
    )


def all_gather_into_tensor(
    output_tensor: Tensor, input_tensor: Tensor, group: Any = None, async_op: bool = False
) -> Work | None:
    """As `all_gather`, into one tensor: the ranks' tensors joined or stacked along dimension 0."""
    group = chosen(group, "all_gather_into_tensor")
    checked(output_tensor, "all_gather_into_tensor", "output_tensor")
    carrier = group.carrier(checked(input_tensor, "all_gather_into_tensor", "input_tensor"))
    numbers, every = carrier.own(input_tensor._array), carrier.own(output_tensor._array)
    if every.size != group.size() * numbers.size or every.dtype != numbers.dtype:
        raise ValueError(
            f"all_gather_into_tensor: an output {_kind(output_tensor)} does not hold "
            f"{group.size()} inputs {_kind(input_tensor)}"
        )
    return _run(
        group,
        "all_gather_into_tensor",
        lambda: carrier.all_gather(numbers, every),
        lambda _: fill(output_tensor, every, "all_gather_into_tensor"),
        async_op,
        (_kind(input_tensor),),
    )


# ---------------------------------------------------------------- one and all
def gather(
    tensor: Tensor,
    gather_list: list[Tensor] | None = None,
    dst: int | None = None,
    group: Any = None,
    async_op: bool = False,
    group_dst: int | None = None,
) -> Work | None:
    """Fill `gather_list` on rank `dst` with the tensors of all ranks; others give no list."""
    group = chosen(group, "gather")
    root = _root(group, dst, group_dst, "dst")
    here = group.rank() == root
    numbers = buffer(tensor, "gather")
    if here:
        _several(gather_list, tensor, group.size(), "gather", "gather_list")
    elif gather_list:
        raise ValueError("Argument ``gather_list`` must NOT be specified on non-destination ranks.")
    every = np.empty((group.size() if here else 0, *numbers.shape), numbers.dtype)

    def finish(_: Any) -> None:
        for each, row in zip(gather_list or (), every):
            fill(each, row, "gather")

    return _run(
        group,
        "gather",
        lambda: group.comm.Igather(mpi.bytes_of(numbers), mpi.bytes_of(every), root),
        finish,
        async_op,
        (_kind(tensor), f"dst={root}"),
    )


def scatter(
    tensor: Tensor,
    scatter_list: list[Tensor] | None = None,
    src: int | None = None,
    group: Any = None,
    async_op: bool = False,
    group_src: int | None = None,
) -> Work | None:
    """Give each rank its tensor of `scatter_list` on rank `src`; others give no list."""
    group = chosen(group, "scatter")
    root = _root(group, src, group_src, "src")
    here = group.rank() == root
    numbers = buffer(tensor, "scatter")
    if here:
        given = _several(scatter_list, tensor, group.size(), "scatter", "scatter_list")
        every = np.stack([buffer(each, "scatter") for each in given])
    elif scatter_list:
        raise ValueError("Argument ``scatter_list`` must NOT be specified on non-source ranks.")
    else:
        every = np.empty(0, numbers.dtype)
    return _run(
        group,
        "scatter",
        lambda: group.comm.Iscatter(mpi.bytes_of(every), mpi.bytes_of(numbers), root),
        lambda _: fill(tensor, numbers, "scatter"),
        async_op,
        (_kind(tensor), f"src={root}"),
    )


# ---------------------------------------------------------------- each gets its part
def reduce_scatter(
    output: Tensor,
    input_list: list[Tensor],
    op: str = ReduceOp.SUM,
    group: Any = None,
    async_op: bool = False,
) -> Work | None:
    r"""Give rank r the sum (or `op`) over the ranks of their r-th tensor."""
    group = chosen(group, "reduce_scatter")
    _several(
        input_list,
        checked(output, "reduce_scatter", "output"),
        group.size(),
        "reduce_scatter",
        "input_list",
    )
    carrier = group.carrier(output, op)
    given = [carrier.own(each._array) for each in input_list]
    numbers = namespace(given[0]).stack(given)
    return _reduce_scatter(carrier, output, numbers, op, group, async_op, "reduce_scatter")


def reduce_scatter_tensor(
    output: Tensor,
    input: Tensor,
    op: str = ReduceOp.SUM,
    group: Any = None,
    async_op: bool = False,
) -> Work | None:
    """As `reduce_scatter`, of one tensor that holds the parts of all ranks along dimension 0."""
    group = chosen(group, "reduce_scatter_tensor")
    checked(output, "reduce_scatter_tensor", "output")
    carrier = group.carrier(checked(input, "reduce_scatter_tensor", "input"), op)
    given = carrier.own(input._array)
    if given.size != group.size() * output.numel() or input.dtype != output.dtype:
        raise ValueError(
            f"reduce_scatter_tensor: an input {_kind(input)} does not hold {group.size()} "
            f"outputs {_kind(output)}"
        )
    return _reduce_scatter(carrier, output, given, op, group, async_op, "reduce_scatter_tensor")


def _reduce_scatter(
    carrier: Any,
    output: Tensor,
    given: Any,
    op: str,
    group: ProcessGroup,
    async_op: bool,
    what: str,
) -> Work | None:
    numbers = _reducible(given, op, what)
    result = carrier.zeros(output.numel(), numbers.dtype)
    return _run(
        group,
        what,
        lambda: carrier.reduce_scatter(numbers, result, op),
        lambda _: fill(output, _reduced(result, op, group.size()), what),
        async_op,
        (_kind(output), op),
    )


def all_to_all(
    output_tensor_list: list[Tensor],
    input_tensor_list: list[Tensor],
    group: Any = None,
    async_op: bool = False,
) -> Work | None:
    """Send the r-th input to rank r, and get the r-th output from it; sizes may differ."""
    group = chosen(group, "all_to_all")
    for name, given in (("output", output_tensor_list), ("input", input_tensor_list)):
        if len(given) != group.size():
            raise ValueError(
                f"all_to_all: {name}_tensor_list needs one tensor for each of the "
                f"{group.size()} ranks"
            )
    sent = [buffer(each, "all_to_all").reshape(-1) for each in input_tensor_list]
    sizes = [each.numel() for each in output_tensor_list]

    def finish(every: np.ndarray) -> None:
        for each, part in zip(output_tensor_list, np.split(every, np.cumsum(sizes)[:-1])):
            fill(each, part, "all_to_all")

    return _exchange(
        group, "all_to_all", np.concatenate(sent), [s.size for s in sent], sizes, finish, async_op
    )


def all_to_all_single(
    output: Tensor,
    input: Tensor,
    output_split_sizes: Sequence[int] | None = None,
    input_split_sizes: Sequence[int] | None = None,
    group: Any = None,
    async_op: bool = False,
) -> Work | None:
    """As `all_to_all`, of one tensor cut along dimension 0, evenly or by the sizes given."""
    group = chosen(group, "all_to_all_single")
    sizes = []
    for tensor, cut, name in (
        (output, output_split_sizes, "output"),
        (input, input_split_sizes, "input"),
    ):
        rows = tensor.shape[0] if tensor.ndim else 0
        even = None if rows % group.size() else [rows // group.size()] * group.size()
        chosen_cut = list(cut) if cut else even
        if chosen_cut is None or sum(chosen_cut) != rows or len(chosen_cut) != group.size():
            raise ValueError(
                f"all_to_all_single: {rows} rows of {name} cannot be cut for {group.size()} ranks "
                f"by {name}_split_sizes={cut}"
            )
        row = tensor.numel() // rows if rows else 0
        sizes.append([n * row for n in chosen_cut])
    return _exchange(
        group,
        "all_to_all_single",
        buffer(input, "all_to_all_single", "input").reshape(-1),
        sizes[1],
        sizes[0],
        lambda every: fill(output, every, "all_to_all_single"),
        async_op,
    )


def _exchange(
    group: ProcessGroup,
    what: str,
    sent: np.ndarray,
    outgoing: list[int],
    incoming: list[int],
    finish: Callable[[np.ndarray], None],
    async_op: bool,
) -> Work | None:
    if not async_op:  # what each sends is what the other takes
        wanted = np.empty(group.size(), np.int64)
        group.wait(group.comm.Ialltoall(np.array(outgoing, np.int64), wanted), what)
        wrong = np.array([int(wanted.tolist() != incoming)])
        MPI = mpi.library()
        group.wait(group.comm.Iallreduce(MPI.IN_PLACE, wrong, MPI.MAX), what)
        if wrong[0]:
            raise RuntimeError(
                f"{what}: the ranks send {wanted.tolist()} elements to this one, which takes "
                f"{incoming}; or so on another rank"
            )
    every = np.empty(sum(incoming), sent.dtype)
    size = sent.dtype.itemsize
    out = [*mpi.bytes_of(sent)[:1], ([n * size for n in outgoing], None), mpi.library().BYTE]
    into = [*mpi.bytes_of(every)[:1], ([n * size for n in incoming], None), mpi.library().BYTE]
    return _run(
        group,
        what,
        lambda: group.comm.Ialltoallv(out, into),
        lambda _: finish(every),
        async_op,
        (sent.dtype,),
    )


# ---------------------------------------------------------------- wait for each other
def barrier(group: Any = None, async_op: bool = False, device_ids: Any = None) -> Work | None:
    """Go on when all ranks have come here."""
    group = chosen(group, "barrier")
    return _run(group, "barrier", group.comm.Ibarrier, lambda _: None, async_op)


def monitored_barrier(
    group: Any = None, timeout: timedelta | None = None, wait_all_ranks: bool = False
) -> None:
    """As `barrier`; raises after `timeout` if a rank has not come."""
    group = chosen(group, "monitored_barrier")
    seconds = None if timeout is None else timeout.total_seconds()
    group.wait(group.comm.Ibarrier(), "monitored_barrier", seconds)
