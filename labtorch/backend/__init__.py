"""Which array library computes, its dtypes and devices, memory and threads."""

from labtorch.backend import blas

blas.prepare()  # before the others load NumPy

from labtorch.backend.arrays import is_array, namespace
from labtorch.backend.devices import device
from labtorch.backend.dtypes import dtype

__all__ = ["device", "dtype", "is_array", "namespace"]
