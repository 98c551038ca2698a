"""One model on several devices, or in several processes: each copy sees its share of a batch."""

from typing import TYPE_CHECKING, Any

from labtorch.nn.parallel.data_parallel import DataParallel, data_parallel
from labtorch.nn.parallel.replicas import gather, parallel_apply, replicate, scatter

if TYPE_CHECKING:
    from labtorch.nn.parallel.distributed import DistributedDataParallel

__all__ = [
    "DataParallel",
    "DistributedDataParallel",
    "data_parallel",
    "gather",
    "parallel_apply",
    "replicate",
    "scatter",
]


def __getattr__(name: str) -> Any:
    if name != "DistributedDataParallel":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from labtorch.nn.parallel.distributed import DistributedDataParallel  # loads what it sends by

    globals()[name] = DistributedDataParallel
    return DistributedDataParallel
