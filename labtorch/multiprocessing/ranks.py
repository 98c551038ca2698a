"""`spawn(fn, args, nprocs)`: fn(rank, *args) in new processes that MPI starts.

So a program that spawns its own ranks and calls `init_process_group` in each needs no launcher. As
with Python's own spawned processes, the program's file is imported anew in each of them, which is
why it starts them under `if __name__ == "__main__":`.
"""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from multiprocessing import spawn as pythons
from pathlib import Path
from typing import Any

RANK = "from labtorch.multiprocessing import ranks; ranks.run({file!r})"
MPIS_OWN = ("PMI", "MPI_", "MPIR_", "HYDI", "HYDRA", "OMPI_", "PMIX")  # variables of a launcher


class ProcessException(Exception):
    """A rank came to a bad end."""

    def __init__(self, msg: str, error_index: int, pid: int) -> None:
        super().__init__(msg)
        self.msg, self.error_index, self.pid = msg, error_index, pid


class ProcessRaisedException(ProcessException):
    """A rank raised an exception; the message is its traceback."""


class ProcessExitedException(ProcessException):
    """A rank was killed, or left with a status."""

    def __init__(self, msg: str, error_index: int, error_pid: int, exit_code: int) -> None:
        super().__init__(msg, error_index, error_pid)
        self.exit_code = exit_code


def spawn(
    fn: Callable[..., Any],
    args: tuple[Any, ...] = (),
    nprocs: int = 1,
    join: bool = True,
    daemon: bool = False,
    start_method: str = "spawn",
) -> ProcessContext | None:
    """Call fn(rank, *args) in `nprocs` processes, and wait for them unless `join=False`.

    `fn` must stand in a file that the processes can import: in a notebook, use
    `labtorch.distributed.cluster`. Raises ProcessRaisedException with the traceback of the first
    rank that failed, ProcessExitedException if one was killed, RuntimeError without an MPI.
    """
    from labtorch.distributed import launched
    from labtorch.distributed.mpi import INSTALL
    from labtorch.distributed.notebook import mpiexec

    launcher = mpiexec()
    if launcher is None:
        raise RuntimeError(f"{INSTALL} (there is no mpiexec)")
    if launched.by_mpi():
        raise RuntimeError(
            "spawn() starts ranks, and this process is one already: call it under "
            "if __name__ == '__main__':, which ranks skip; start the program by python, not by "
            "mpiexec, or leave spawn() out"
        )
    if getattr(sys.modules["__main__"], "__file__", None) is None and fn.__module__ == "__main__":
        raise RuntimeError(
            f"spawned processes cannot import {fn.__name__}(), which stands in no file; in a "
            "notebook, labtorch.distributed.cluster(n) starts ranks for cells"
        )
    context = ProcessContext(launcher, fn, args, nprocs)
    if not join:
        return context
    context.join()
    return None


start_processes = spawn


class ProcessContext:
    """Ranks that `spawn(..., join=False)` has started."""

    def __init__(self, launcher: str, fn: Callable[..., Any], args: tuple, nprocs: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="labtorch-spawn-"))
        data = pythons.get_preparation_data("rank")
        data.pop("authkey", None)  # a secret, and of no use to ranks
        data.pop("start_method", None)
        with (self.folder / "call").open("wb") as file:
            pickle.dump(data, file)
            pickle.dump((fn, args), file)
        program = RANK.format(file=str(self.folder / "call"))
        program = f"import sys; sys.path[:] = {sys.path!r}; {program}"
        env = {k: v for k, v in os.environ.items() if not k.startswith(MPIS_OWN)}
        self.job = subprocess.Popen(
            [launcher, "-n", str(nprocs), sys.executable, "-c", program], env=env
        )

    def pids(self) -> list[int]:
        """That of the launcher, which ends with the ranks and ends them."""
        return [self.job.pid]

    def join(self, timeout: float | None = None, grace_period: float | None = None) -> bool:
        """Wait for the ranks; False if they still run after `timeout` seconds."""
        try:
            code = self.job.wait(timeout)
        except subprocess.TimeoutExpired:
            return False
        except BaseException:
            self.job.terminate()
            raise
        failures = sorted(self.folder.glob("failure-*"), key=lambda path: path.stat().st_mtime_ns)
        said = [(int(each.name.rpartition("-")[2]), each.read_text()) for each in failures]
        shutil.rmtree(self.folder, ignore_errors=True)
        if said:
            rank, text = said[0]
            raise ProcessRaisedException(
                f"\n\n-- Process {rank} terminated with the following error:\n{text}",
                rank,
                self.job.pid,
            )
        if code:
            raise ProcessExitedException(
                f"a process terminated with exit code {code}", -1, self.job.pid, code
            )
        return True


def run(file: str) -> None:
    """In a rank: what `spawn` was called with."""
    from labtorch.distributed import launched

    rank = launched.claimed("RANK")
    assert rank is not None
    try:
        with open(file, "rb") as stream:
            pythons.prepare(pickle.load(stream))
            fn, args = pickle.load(stream)
        fn(rank, *args)
    except Exception:
        # whole or not at all: the launcher may end this process in the middle
        part = Path(file).with_name(f"part-{rank}")
        part.write_text(traceback.format_exc())
        part.rename(part.with_name(f"failure-{rank}"))
        raise
