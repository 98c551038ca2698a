"""Apple's GPUs are not used; orders to them raise, as where PyTorch finds none."""

from __future__ import annotations


def device_count() -> int:
    return 0


def synchronize() -> None:
    raise RuntimeError("Cannot execute synchronize() without MPS backend: use device='cpu'.")


def empty_cache() -> None:
    raise RuntimeError("Cannot execute emptyCache() without MPS backend: use device='cpu'.")
