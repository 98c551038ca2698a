"""Ranks with a GPU each: NCCL carries what is on them. Tried on stand-ins; see `gpus`."""

import functools

import pytest

from tests.distributed import gpus, launch

pytestmark = pytest.mark.mpi


@functools.cache
def of(n):
    return launch.results(n, "gpus")


@pytest.mark.parametrize("n", [2, 4])
@pytest.mark.parametrize("scenario", [*launch.scenarios(vars(gpus)), "(the program)"])
def test_on_every_rank(scenario, n):
    assert of(n).get(scenario, ["it was not reached"]) == []
