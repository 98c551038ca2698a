"""Several processes as one: torch.distributed's names, on MPI.

Each process (a *rank*) runs the same program on its share of the data, and they meet in collective
operations. MPI starts them and carries what they say:

    mpiexec -n 2 python train.py

In a notebook, `cluster(n)` has ipyparallel start them.

A rank that fails ends the job: the others are told, raise, and end too, within seconds.
"""

from labtorch.backend.absent import explains as _explains
from labtorch.distributed.collectives import (
    all_gather,
    all_gather_into_tensor,
    all_reduce,
    all_to_all,
    all_to_all_single,
    barrier,
    broadcast,
    gather,
    monitored_barrier,
    reduce,
    reduce_scatter,
    reduce_scatter_tensor,
    scatter,
)
from labtorch.distributed.groups import (
    GroupMember,
    ProcessGroup,
    ReduceOp,
    destroy_process_group,
    get_backend,
    get_global_rank,
    get_group_rank,
    get_process_group_ranks,
    get_rank,
    get_world_size,
    group,
    init_process_group,
    is_available,
    is_gloo_available,
    is_initialized,
    is_mpi_available,
    is_nccl_available,
    is_torchelastic_launched,
    new_group,
)
from labtorch.distributed.launched import announce as _announce
from labtorch.distributed.notebook import cluster
from labtorch.distributed.objects import (
    all_gather_object,
    broadcast_object_list,
    gather_object,
    recv_object_list,
    scatter_object_list,
    send_object_list,
)
from labtorch.distributed.point_to_point import P2POp, batch_isend_irecv, irecv, isend, recv, send
from labtorch.distributed.work import Work

_announce()

__getattr__ = _explains("distributed", globals())
