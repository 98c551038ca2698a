"""Switches of the libraries behind PyTorch: they can be set and read, and change nothing here."""

from labtorch.backends import cuda, cudnn, mkl, mkldnn, mps, openmp, quantized
