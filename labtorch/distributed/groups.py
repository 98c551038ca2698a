"""Groups of ranks: the job as a whole, and parts of it."""

from __future__ import annotations

import atexit
import importlib.util
import os
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from labtorch.backend import devices, threads
from labtorch.distributed import carriers, endings, launched, mpi

BACKENDS = ("mpi", "gloo", "nccl")
TIMEOUT = timedelta(minutes=30)


class ReduceOp:
    """How the numbers of the ranks become one: SUM, AVG, PRODUCT, MIN, MAX, BAND, BOR, BXOR."""

    SUM, AVG, PRODUCT, MIN, MAX = "SUM", "AVG", "PRODUCT", "MIN", "MAX"
    BAND, BOR, BXOR = "BAND", "BOR", "BXOR"


class ProcessGroup:
    """Some ranks of the job that meet in collective operations of their own."""

    def __init__(self, world: mpi.World, comm: Any, ranks: Sequence[int]) -> None:
        self.world, self.comm, self.ranks = world, comm, tuple(ranks)
        self.host = carriers.Host(comm)
        self._gpus: dict[devices.device, carriers.GPU | None] = {}

    def rank(self) -> int:
        """The place of this process in the group."""
        return self.comm.Get_rank()

    def size(self) -> int:
        return len(self.ranks)

    def name(self) -> str:
        return _state.backend

    def place_of(self, rank: int, argument: str) -> int:
        """The place in the group of a rank of the job."""
        if rank not in self.ranks:
            raise ValueError(f"{argument}={rank} is not in the group, which has ranks {self.ranks}")
        return self.ranks.index(rank)

    def carrier(self, tensor: Any, op: str = "SUM") -> Any:
        """What carries the numbers of `tensor`: NCCL, if it can, else MPI."""
        if not (_state.nccl and tensor.is_cuda and carriers.suits(tensor._array.dtype, op)):
            return self.host
        if tensor.device not in self._gpus:
            self._gpus[tensor.device] = self._by_nccl(tensor.device)
        return self._gpus[tensor.device] or self.host

    def _by_nccl(self, device: devices.device) -> carriers.GPU | None:
        """Meet to use NCCL, where every rank has it and a GPU of its own."""
        from labtorch.distributed.objects import exchanged

        nccl = carriers.nccl()
        first = nccl is not None and self.rank() == 0
        mine = nccl is not None, carriers.whereabouts(device), first and nccl.get_unique_id()
        have, places, secrets = zip(*exchanged(self, mine, "init_process_group"))
        if not all(have) or len(set(places)) < self.size():
            return None
        return carriers.GPU(self.size(), self.rank(), secrets[0], device)

    def wait(self, request: Any, what: str, timeout: float | None = None) -> Any:
        return self.world.wait(request, what, timeout)

    def __repr__(self) -> str:
        return f"<ProcessGroup of ranks {', '.join(map(str, self.ranks))}>"


class GroupMember:
    """What `new_group` gives to a rank that is not in the new group."""

    NON_GROUP_MEMBER = object()
    WORLD: ProcessGroup | None = None


class _State:
    def __init__(self) -> None:
        self.group: ProcessGroup | None = None
        self.ending: endings.InAScript | None = None
        self.backend = "mpi"
        self.nccl = False  # for tensors on a GPU


_state = _State()


class _Group:
    """`dist.group.WORLD`: all ranks."""

    @property
    def WORLD(self) -> ProcessGroup | None:
        return _state.group


group = _Group()


# ---------------------------------------------------------------- questions
def is_available() -> bool:
    return True


def is_mpi_available() -> bool:
    """Is mpi4py installed?"""
    return importlib.util.find_spec("mpi4py") is not None


is_gloo_available = is_mpi_available  # programs for Gloo run on MPI here


def is_nccl_available() -> bool:
    """Is there a GPU, and CuPy with NCCL?"""
    return carriers.nccl() is not None


def is_torchelastic_launched() -> bool:
    return False


def is_initialized() -> bool:
    """Has `init_process_group` been called?"""
    return _state.group is not None


def default_group() -> ProcessGroup:
    if _state.group is None:
        raise ValueError(
            "Default process group has not been initialized, please make sure to call "
            "init_process_group."
        )
    return _state.group


def chosen(group: Any, what: str) -> ProcessGroup:
    """The group that a collective is called with; None is all ranks."""
    if group is None:
        return default_group()
    if not isinstance(group, ProcessGroup):
        raise ValueError(f"{what} was called with a group that this rank is not in")
    return group


def get_rank(group: Any = None) -> int:
    """The number of this process, from 0; -1 if it is not in the group."""
    if group is GroupMember.NON_GROUP_MEMBER:
        return -1
    return chosen(group, "get_rank").rank()


def get_world_size(group: Any = None) -> int:
    """How many processes there are; -1 if this one is not in the group."""
    if group is GroupMember.NON_GROUP_MEMBER:
        return -1
    return chosen(group, "get_world_size").size()


def get_backend(group: Any = None) -> str:
    """The backend that was asked for."""
    chosen(group, "get_backend")
    return _state.backend


def get_process_group_ranks(group: Any = None) -> list[int]:
    return list(chosen(group, "get_process_group_ranks").ranks)


def get_group_rank(group: Any, global_rank: int) -> int:
    return chosen(group, "get_group_rank").place_of(global_rank, "global_rank")


def get_global_rank(group: Any, group_rank: int) -> int:
    return chosen(group, "get_global_rank").ranks[group_rank]


# ---------------------------------------------------------------- beginning and end
def init_process_group(
    backend: str | None = None,
    init_method: str | None = None,
    timeout: timedelta | None = None,
    world_size: int = -1,
    rank: int = -1,
    store: Any = None,
    group_name: str = "",
    pg_options: Any = None,
    device_id: Any = None,
) -> None:
    """Join the other processes of the job; each of them calls it once.

    MPI has started them and knows their number and their ranks; `world_size` and `rank`, or
    WORLD_SIZE and RANK in the environment, must agree with it. Every backend ("mpi", "gloo",
    "nccl") is carried by MPI. With "nccl", or none given, tensors on a GPU are sent by NCCL, where
    each rank has a GPU of its own (`cuda.set_device(rank)`); else through the computer's memory.
    `init_method` and `store` are for launchers other than MPI's, and are not used.

    Raises RuntimeError where mpi4py or MPI is missing, and where MPI started another number of
    processes; `timeout` (30 minutes) is how long a rank waits for the others before it raises.
    """
    if is_initialized():
        raise ValueError("trying to initialize the default process group twice!")
    name = str(backend or "mpi").lower().rpartition(":")[2]
    if name not in BACKENDS:
        raise ValueError(f"Invalid backend: '{backend}'; there are {', '.join(BACKENDS)}")
    seconds = (TIMEOUT if timeout is None else timeout).total_seconds()
    _agree(world_size if world_size > 0 else launched.claimed("WORLD_SIZE"), rank)
    world = mpi.World(seconds)
    _share_processors()
    _state.backend, _state.nccl = name, backend is None or name == "nccl"
    _state.group = GroupMember.WORLD = ProcessGroup(world, world.comm, range(world.size))
    _state.ending = endings.watched(world)
    atexit.register(_state.ending.farewell)


def _agree(size: int | None, rank: int) -> None:
    """Refuse a number of processes other than MPI's before anybody waits for them."""
    MPI = mpi.library()
    started, mine = MPI.COMM_WORLD.Get_size(), MPI.COMM_WORLD.Get_rank()
    if size is not None and size != started:
        plural = "" if started == 1 else "es"
        raise RuntimeError(
            f"the job is to have {size} processes, but MPI started {started} process{plural}: "
            + launched.HOW.format(n=size)
        )
    if rank >= 0 and rank != mine:
        raise RuntimeError(f"this process is rank {mine} of {started} to MPI, not rank {rank}")


def _share_processors() -> None:
    """The ranks on this computer split its processors; each alone would start threads for all."""
    neighbours = launched.claimed("LOCAL_WORLD_SIZE") or 1
    if neighbours > 1 and "OMP_NUM_THREADS" not in os.environ:
        threads.set_num_threads(max(1, threads.get_num_threads() // neighbours))


def destroy_process_group(group: Any = None) -> None:
    """Part from the other processes: afterwards, no collective can be called."""
    if isinstance(group, ProcessGroup) and group is not _state.group:
        return
    default_group()
    if _state.ending is not None:
        atexit.unregister(_state.ending.farewell)
        _state.ending.farewell()
        _state.ending.undo()
    _state.group = _state.ending = GroupMember.WORLD = None


def new_group(
    ranks: Sequence[int] | None = None,
    timeout: timedelta | None = None,
    backend: str | None = None,
    pg_options: Any = None,
    use_local_synchronization: bool = False,
    group_desc: str | None = None,
    device_id: Any = None,
) -> Any:
    """A group of some ranks; all ranks of the job call it, also those that are not in it."""
    whole = default_group()
    members = sorted(whole.ranks if ranks is None else ranks)
    if len(set(members)) != len(members) or not set(members) <= set(whole.ranks):
        raise ValueError(f"new_group: {members} are not different ranks of {list(whole.ranks)}")
    from labtorch.distributed.collectives import barrier

    barrier()  # a split blocks: let nobody be missing
    MPI = mpi.library()
    inside = whole.rank() in members
    comm = whole.comm.Split(0 if inside else MPI.UNDEFINED, whole.rank())
    return ProcessGroup(whole.world, comm, members) if inside else GroupMember.NON_GROUP_MEMBER
