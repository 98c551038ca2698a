"""The names of torch.distributed, in jobs of two and of four ranks that mpiexec starts."""

import functools

import pytest

from tests.distributed import collectives, launch

pytestmark = pytest.mark.mpi


@functools.cache
def of(n):
    return launch.results(n, "collectives")


@pytest.mark.parametrize("n", [2, 4])
@pytest.mark.parametrize("scenario", [*launch.scenarios(vars(collectives)), "(the program)"])
def test_on_every_rank(scenario, n):
    assert of(n).get(scenario, ["it was not reached"]) == []
