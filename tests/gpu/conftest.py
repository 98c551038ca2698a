"""Each test that takes `gpu` runs on the stand-in for CuPy, and on a GPU where there is one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from labtorch.backend.devices import cuda_is_available
from tests.gpu import standin as stand_in


@pytest.fixture
def standin() -> Iterator[None]:
    """The stand-in is CuPy: nothing of NumPy may touch what is on "cuda"."""
    if cuda_is_available():
        pytest.skip("there is a GPU, on which the same tests run")
    with stand_in.installed():
        yield


@pytest.fixture(params=["stand-in", pytest.param("GPU", marks=pytest.mark.gpu)])
def gpu(request: pytest.FixtureRequest) -> str:
    """The name of the device."""
    if request.param == "stand-in":
        request.getfixturevalue("standin")
    return "cuda:0"
