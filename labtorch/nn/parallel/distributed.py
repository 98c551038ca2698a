"""Several processes, one model: each sees its share of the data, and all take the same step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from labtorch.distributed import mpi
from labtorch.distributed.collectives import agree, broadcast
from labtorch.distributed.groups import default_group
from labtorch.distributed.objects import exchanged
from labtorch.engine.modes import no_grad
from labtorch.engine.thread import current
from labtorch.nn.module import Module
from labtorch.nn.parallel.reducer import Reducer
from labtorch.tensor.tensor import Tensor


class DistributedDataParallel(Module):
    r"""`module` in every process of a group, with gradients averaged over the ranks.

    The parameters start as rank 0 has them. In a backward pass, each rank's gradients are combined
    with the others' before the optimiser sees them,

        g = \frac{\sum_r n_r\, g_r}{\sum_r n_r},

    where n_r counts the samples that rank r has seen: the size of its first input along `dim`. For
    a loss that is a mean over the samples this is the gradient of the mean over all of them, also
    where ranks have batches of unequal size. `weigh_shards=False` gives each rank the same weight
    whatever it has seen, which is what PyTorch does; for equal batches both are the same.

    Gradients travel in buckets of at most `bucket_cap_mb` MB while the pass goes on. All ranks must
    use the same parameters in a pass, or be told `find_unused_parameters=True`. With
    `broadcast_buffers`, running statistics are those of rank 0; see also `SyncBatchNorm`.

    Raises RuntimeError if the ranks' modules differ, or no parameter requires a gradient, and
    ValueError before `init_process_group`.
    """

    def __init__(
        self,
        module: Module,
        device_ids: Sequence[Any] | None = None,
        output_device: Any = None,
        dim: int = 0,
        broadcast_buffers: bool = True,
        init_sync: bool = True,
        process_group: Any = None,
        bucket_cap_mb: float | None = None,
        find_unused_parameters: bool = False,
        check_reduction: bool = False,
        gradient_as_bucket_view: bool = False,
        static_graph: bool = False,
        *options: Any,
        weigh_shards: bool = True,
        **more: Any,
    ) -> None:
        super().__init__()
        group = process_group if process_group is not None else default_group()
        named = [(name, p) for name, p in module.named_parameters() if p.requires_grad]
        if not named:
            raise RuntimeError(
                "DistributedDataParallel is not needed when a module doesn't have any parameters "
                "that require a gradient."
            )
        if device_ids and not all(p.is_cuda for _, p in named):
            raise ValueError(
                "DistributedDataParallel device_ids and output_device arguments only work with "
                f"modules on a GPU, but got device_ids {list(device_ids)} for a module on the CPU"
            )
        self.module = module
        self.dim, self.process_group, self.broadcast_buffers = dim, group, broadcast_buffers
        self.device_ids = list(device_ids) if device_ids else None
        self.output_device = output_device
        self.find_unused_parameters, self.static_graph = find_unused_parameters, static_graph
        self.weigh_shards = weigh_shards
        self.require_backward_grad_sync = True
        self._joining = False
        self._compare(module)
        if init_sync:
            self._copy_from(group.ranks[0], (*module.parameters(), *module.buffers()))
        self._cap = int((25 if bucket_cap_mb is None else bucket_cap_mb) * 2**20)
        self._make_reducer()

    def _make_reducer(self) -> None:
        named = [(name, p) for name, p in self.module.named_parameters() if p.requires_grad]
        unused = self.find_unused_parameters or self.static_graph
        self.reducer = Reducer(named, self.process_group, self._cap, unused)

    def __getstate__(self) -> dict[str, Any]:
        """What a copy or a pickle takes along: not the group, which is this process's own."""
        own = dict(self.__dict__)
        del own["process_group"], own["reducer"]
        return own

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self.process_group = default_group()
        self._make_reducer()

    def _compare(self, module: Module) -> None:
        """Raise on every rank if the ranks do not hold the same kind of module."""
        own = [(n, tuple(p.shape), str(p.dtype)) for n, p in module.named_parameters()]
        agree(self.process_group, "DistributedDataParallel")
        every = exchanged(self.process_group, own, "DistributedDataParallel")
        for rank, other in zip(self.process_group.ranks, every):
            if other != every[0]:
                a, b = next(((a, b) for a, b in zip(every[0], other) if a != b), ("", ""))
                raise RuntimeError(
                    "DistributedDataParallel expects the same parameters on every rank: rank "
                    f"{self.process_group.ranks[0]} has {len(every[0])}, rank {rank} has "
                    f"{len(other)}" + (f"; {a} is {b} there" if a else "")
                )

    @no_grad()
    def _copy_from(self, rank: int, tensors: Sequence[Tensor]) -> None:
        works = [broadcast(each.detach(), rank, self.process_group, True) for each in tensors]
        for each in works:
            each.wait()  # type: ignore[union-attr]

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        sync = current().grad_enabled and self.require_backward_grad_sync
        rank = self._roll_call(True) if self._joining and sync else self.process_group.ranks[0]
        if sync and self.training and self.broadcast_buffers:
            self._copy_from(rank, tuple(self.module.buffers()))
        outputs = self.module(*inputs, **kwargs)
        if sync:
            self.reducer.arm(self._samples(inputs, kwargs))
        return outputs

    def _samples(self, inputs: tuple, kwargs: dict[str, Any]) -> float:
        """How much this rank's gradient counts."""
        if self.weigh_shards:
            for each in (*inputs, *kwargs.values()):
                if isinstance(each, Tensor) and each.ndim > self.dim:
                    return float(each.shape[self.dim])
        return 1.0

    @contextmanager
    def no_sync(self) -> Iterator[None]:
        """Inside the block gradients add up on each rank; the next pass outside sends them all."""
        before = self.require_backward_grad_sync
        self.require_backward_grad_sync = False
        try:
            yield
        finally:
            self.require_backward_grad_sync = before

    # ------------------------------------------------------------ ranks with fewer batches
    @contextmanager
    def join(
        self,
        divide_by_initial_world_size: bool = True,
        enable: bool = True,
        throw_on_early_termination: bool = False,
    ) -> Iterator[None]:
        """Inside the block, ranks may have different numbers of batches.

        A rank that has none left takes part in the others' steps without a say, until all are
        done; then all have the parameters of the ranks that went on longest. With
        `weigh_shards=False`, `divide_by_initial_world_size` says whether it still counts.
        """
        self._joining = enable
        try:
            yield
            if enable:
                self._wait_for_the_rest(divide_by_initial_world_size, throw_on_early_termination)
        finally:
            self._joining = False

    def _wait_for_the_rest(self, divide: bool, throw: bool) -> None:
        last = self.process_group.ranks[self.process_group.rank()]
        weight = 1.0 if divide and not self.weigh_shards else 0.0
        while (leader := self._roll_call(False)) is not None:
            if throw:
                raise RuntimeError("Detected at least one rank that exhausted inputs.")
            if self.training and self.broadcast_buffers:
                self._copy_from(leader, tuple(self.module.buffers()))
            self.reducer.shadow(weight)
            last = leader
        newest = np.array([self._passes, last])
        every = np.empty((self.process_group.size(), 2), newest.dtype)
        request = self.process_group.comm.Iallgather(newest, every)
        self.process_group.wait(request, "DistributedDataParallel.join")
        self._copy_from(
            int(every[every[:, 0].argmax(), 1]),
            (*self.module.parameters(), *self.module.buffers()),
        )
        self._passes = 0

    _passes = 0  # in which this rank went on, inside join()

    def _roll_call(self, here: bool) -> int | None:
        """The highest rank that has a batch; None if there is none."""
        MPI = mpi.library()
        group = self.process_group
        self._passes += here
        highest = np.array([group.rank() if here else -1])
        request = group.comm.Iallreduce(MPI.IN_PLACE, highest, MPI.MAX)
        group.wait(request, "DistributedDataParallel.join")
        return group.ranks[int(highest[0])] if highest[0] >= 0 else None
