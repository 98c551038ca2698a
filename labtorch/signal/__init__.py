"""Signal processing, under PyTorch's path."""

from labtorch.signal import windows as windows
