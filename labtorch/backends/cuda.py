"""cuBLAS's switches, and the choice between kernels of attention: here there is one of each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class _Matmul:
    """float32 is multiplied as float32, whatever is set here."""

    allow_tf32 = False
    allow_fp16_reduced_precision_reduction = False
    allow_bf16_reduced_precision_reduction = False


matmul = _Matmul()


def is_built() -> bool:
    from labtorch.backend.devices import cuda_is_available

    return cuda_is_available()


def math_sdp_enabled() -> bool:
    return True


def flash_sdp_enabled() -> bool:
    return False


mem_efficient_sdp_enabled = cudnn_sdp_enabled = flash_sdp_enabled


def enable_math_sdp(enabled: bool) -> None:
    """Accepted: attention has one kernel here."""


enable_flash_sdp = enable_mem_efficient_sdp = enable_cudnn_sdp = enable_math_sdp


@contextmanager
def sdp_kernel(**switches: Any) -> Iterator[None]:
    """Accepted: attention has one kernel here."""
    yield
