"""A rank that dies, fails or leaves ends the job, and says so, within seconds."""

import os
import subprocess
import sys
import time

import pytest

from tests.distributed import launch

pytestmark = pytest.mark.mpi
WITHIN = 10  # seconds from the start, of which the program itself takes two


def ended(n, how):
    begun = time.monotonic()
    code, out, err = launch.run(n, "-m", "tests.distributed.ends", how, timeout=60)
    return code, out, err, time.monotonic() - begun


@pytest.mark.parametrize("n", [2, 4])
def test_a_killed_rank_ends_the_job(n):
    code, out, err, seconds = ended(n, "killed")
    assert code != 0 and seconds < WITHIN
    assert "BAD TERMINATION" in out and "Killed (signal 9)" in out


@pytest.mark.parametrize("n", [2, 4])
def test_an_exception_in_one_rank_is_told_to_all(n):
    code, out, err, seconds = ended(n, "raises")
    assert code != 0 and seconds < WITHIN
    assert f"rank {n - 1} of {n} failed" in err
    assert "ValueError: a batch that cannot be read" in err
    for rank in range(n - 1):
        assert f"rank {rank} of {n} failed" in err
    told = f"Lost: rank {n - 1} failed: ValueError: a batch that cannot be read (this rank was in"
    assert err.count(told) == n - 1


def test_an_exception_ends_ranks_that_compute():
    code, out, err, seconds = ended(2, "raises_while_others_compute")
    assert code != 0 and seconds < WITHIN
    assert "rank 0 of 2 failed" in err and "ValueError: early" in err


@pytest.mark.parametrize("how", ["exits", "exits_with_a_status"])
def test_a_rank_that_leaves_is_not_waited_for(how):
    code, out, err, seconds = ended(2, how)
    assert code != 0 and seconds < WITHIN
    assert "rank 1 has ended, and this one waited for it" in err


def test_a_job_that_ends_well():
    code, out, err, _ = ended(2, "parts_in_peace")
    assert (code, out.count("done"), err) == (0, 2, "")


def alone(program, **env):
    env = {**os.environ, "PYTHONPATH": str(launch.ROOT), **env}
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=env, cwd=launch.ROOT
    )


INIT = (
    "import labtorch.distributed as dist; dist.init_process_group({}); print(dist.get_world_size())"
)


def test_without_a_launcher_there_is_one_rank():
    assert alone(INIT.format("'gloo'")).stdout == "1\n"


def test_a_world_that_mpi_did_not_start_is_refused():
    for given, env in (("'gloo', rank=0, world_size=2", {}), ("'nccl'", {"WORLD_SIZE": "2"})):
        done = alone(INIT.format(given), **env)
        assert "MPI started 1 process: start the program by MPI: mpiexec -n 2" in done.stderr
    assert "'tcp'" in alone(INIT.format("'tcp'")).stderr
    assert "no number" in alone(INIT.format("'mpi'"), WORLD_SIZE="two").stderr


def test_where_mpi_is_not_installed_the_error_says_what_to_install():
    hidden = "import sys; sys.modules['mpi4py'] = None\n"
    done = alone(hidden + INIT.format("'mpi'"))
    assert 'needs mpi4py and an MPI: pip install "labtorch[parallel]"' in done.stderr
