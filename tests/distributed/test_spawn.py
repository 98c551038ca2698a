"""Programs that spawn their ranks themselves, started by plain Python."""

import os
import subprocess
import sys

import pytest

import labtorch.multiprocessing as mp
from tests.distributed import launch

pytestmark = pytest.mark.mpi


def program(*arguments):
    return subprocess.run(
        [sys.executable, launch.ROOT / "tests" / "distributed" / "tutorial.py", *arguments],
        capture_output=True,
        text=True,
        # buffered, a print() is one write, and lines of two ranks do not mix
        env={**os.environ, "PYTHONPATH": str(launch.ROOT), "PYTHONUNBUFFERED": ""},
        timeout=60,
    )


def test_the_tutorials_program_runs(tmp_path):
    done = program("demo_checkpoint", str(tmp_path / "model.checkpoint"))
    assert done.returncode == 0, done.stderr
    lines = sorted(done.stdout.splitlines())
    assert [line[:7] for line in lines] == ["rank 0:", "rank 1:"]
    assert lines[0][7:] == lines[1][7:]


def test_an_exception_in_a_rank_is_raised_in_the_program():
    done = program("fails")
    assert done.stdout.strip() == "ProcessRaisedException ValueError: no such batch"


def test_a_killed_rank_is_an_exception_in_the_program():
    done = program("dies")
    assert "ProcessExitedException a process terminated with exit code 9" in done.stdout


def test_what_cannot_be_spawned(monkeypatch):
    from labtorch.distributed import launched

    def local(rank):
        pass

    local.__module__ = "__main__"
    monkeypatch.delattr(sys.modules["__main__"], "__file__", raising=False)
    with pytest.raises(RuntimeError, match=r"stands in no file.*cluster"):
        mp.spawn(local)
    monkeypatch.setattr(launched, "by_mpi", lambda: True)
    with pytest.raises(RuntimeError, match="if __name__ == '__main__'"):
        mp.spawn(local)


def test_the_rest_is_pythons_multiprocessing():
    import multiprocessing

    assert mp.Process is multiprocessing.Process and mp.Queue is not None
    assert mp.get_context("spawn").get_start_method() == "spawn"
    mp.set_sharing_strategy("file_system")
    with pytest.raises(ValueError, match="sharing strategy"):
        mp.set_sharing_strategy("telepathy")
