"""One model on several devices, or in several processes: each copy sees its share of a batch."""

from labtorch.nn.parallel.data_parallel import DataParallel, data_parallel
from labtorch.nn.parallel.distributed import DistributedDataParallel
from labtorch.nn.parallel.replicas import gather, parallel_apply, replicate, scatter

__all__ = [
    "DataParallel",
    "DistributedDataParallel",
    "data_parallel",
    "gather",
    "parallel_apply",
    "replicate",
    "scatter",
]
