"""Ranks for a notebook: ipyparallel starts them by MPI, and its client runs cells in them."""

from __future__ import annotations

import logging
import shutil
import sys
from pathlib import Path
from typing import Any

INSTALL = 'ranks in a notebook need ipyparallel and an MPI: pip install "labtorch[parallel]"'


def cluster(n: int = 2, **options: Any) -> Any:
    """An `ipyparallel.Cluster` whose `n` engines are the ranks of one MPI job.

        with distributed.cluster(2) as client:  # or start_and_connect_sync(), stop_cluster_sync()
            client[:].execute("import labtorch.distributed as dist; dist.init_process_group()")

    `options` are those of `ipyparallel.Cluster`. The mpiexec beside this Python is used, if there
    is one, else the one on the path; raises RuntimeError if ipyparallel or mpiexec is missing.
    """
    launcher = mpiexec()
    try:
        import ipyparallel
        from traitlets.config import Config
    except ImportError as error:
        raise RuntimeError(f"{INSTALL} ({error})") from None
    if launcher is None:
        raise RuntimeError(f"{INSTALL} (there is no mpiexec)")
    if n < 1:
        raise ValueError(f"a job has at least one rank, not {n}")
    options.setdefault("log_level", logging.ERROR)  # less would print what every engine did
    config = Config({"MPILauncher": {"mpi_cmd": [launcher]}})
    return ipyparallel.Cluster(n=n, engines="mpi", config=config, **options)


def mpiexec() -> str | None:
    """MPI's launcher: the one installed beside this Python, or on the path."""
    beside = Path(sys.executable).with_name("mpiexec")
    return str(beside) if beside.exists() else shutil.which("mpiexec")
