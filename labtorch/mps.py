"""Apple's GPUs are not used; orders to them raise, as where PyTorch finds none."""

from __future__ import annotations

from labtorch.tensor.random import manual_seed

__all__ = ["device_count", "empty_cache", "is_available", "manual_seed", "synchronize"]


def is_available() -> bool:
    return False


def device_count() -> int:
    return 0


def synchronize() -> None:
    raise RuntimeError("Cannot execute synchronize() without MPS backend: use device='cpu'.")


def empty_cache() -> None:
    raise RuntimeError("Cannot execute emptyCache() without MPS backend: use device='cpu'.")
