"""Start a program in several ranks, as a user would: by the mpiexec beside this Python."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from labtorch.distributed.notebook import mpiexec

ROOT = Path(__file__).resolve().parents[2]


def start(n: int, *command: str, **options: Any) -> subprocess.Popen[str]:
    """Python with `command`, in `n` ranks."""
    launcher = mpiexec()
    assert launcher, "no mpiexec"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path[1:2]])}
    env |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.Popen(
        [launcher, "-n", str(n), sys.executable, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=env,
        cwd=ROOT,
        **options,
    )


def run(n: int, *command: str, timeout: float = 120) -> tuple[int, str, str]:
    """Its exit status, and what all ranks wrote."""
    job = start(n, *command)
    try:
        out, err = job.communicate(timeout=timeout)
    finally:
        job.kill()
    return job.returncode, out, err


def results(n: int, program: str, *arguments: str) -> dict[str, list[str]]:
    """What went wrong in each scenario of a program: a list with a text for each rank that failed.

    One start of MPI serves all scenarios of a program.
    """
    code, out, err = run(n, "-m", f"tests.distributed.{program}", *arguments)
    said: dict[str, list[str]] = {}
    ends: dict[str, int] = {}
    for line in out.splitlines():
        if line.startswith("{"):
            each = json.loads(line)
            said.setdefault(each["scenario"], [])
            ends[each["scenario"]] = ends.get(each["scenario"], 0) + 1
            if each["error"]:
                said[each["scenario"]].append(f"rank {each['rank']}: {each['error']}")
    for name, count in ends.items():
        if count != n:
            said[name].append(f"{n - count} of {n} ranks did not come to its end: {err[-2000:]}")
    said["(the program)"] = [] if code == 0 else [f"exit status {code}: {out}{err}"]
    return said


def serve(scenarios: dict[str, Callable[[], None]]) -> None:
    """In each rank: run the scenarios one after the other, and print a line for each."""
    from labtorch import distributed

    for name, scenario in scenarios.items():
        error = ""
        try:
            scenario()
        except Exception:
            error = traceback.format_exc()
        line = json.dumps({"scenario": name, "rank": distributed.get_rank(), "error": error})
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
        if error:  # the ranks no longer agree on where they are
            sys.exit(1)


def scenarios(namespace: dict[str, Any]) -> dict[str, Callable[[], None]]:
    """The functions of a module that are named as tests are."""
    return {k: v for k, v in namespace.items() if k.startswith("check_")}
