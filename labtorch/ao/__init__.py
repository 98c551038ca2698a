"""Names only: `labtorch.quantization` under PyTorch's newer path."""
