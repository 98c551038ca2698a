"""The names of `labtorch.data.distributed` under PyTorch's path."""

from labtorch.data.distributed import DistributedSampler

__all__ = ["DistributedSampler"]
