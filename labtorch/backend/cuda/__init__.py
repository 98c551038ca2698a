"""What a GPU does its own way: random numbers, fused kernels, cuDNN, streams, captured graphs.

Everything here has a generic path behind it, the array code that NumPy runs as well: a fast path is
taken where a small test says that it can be, and switched off by `labtorch.backends.cudnn.enabled`
or the environment variable LABTORCH_FUSE=0.
"""
