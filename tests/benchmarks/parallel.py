"""Training steps in several ranks, in labtorch (on MPI) and PyTorch (on Gloo), by turns.

    python tests/benchmarks/parallel.py [cnn lstm] [-n 2] [--rounds 5]

mpiexec starts both. Every rank has the whole batch of the single process, so that the figure `n
ranks` over `1 rank` is what talking costs: the step alone, with as many processors per rank, is 1.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from labtorch.distributed.notebook import mpiexec  # noqa: E402
from tests.benchmarks.steps import PROGRAMS, STEPS, UNTIMED, Engine  # noqa: E402

PORT = 29511


def rank(name: str, program: str) -> None:
    """In each rank: the seconds a step takes."""
    os.environ.update(RANK=os.environ["PMI_RANK"], WORLD_SIZE=os.environ["PMI_SIZE"])
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(PORT))
    engine = Engine(name)
    engine.torch.set_num_threads(1)
    __import__(f"{name}.distributed")
    dist = engine.torch.distributed
    dist.init_process_group("gloo")
    model, criterion, make, x, y = PROGRAMS[program](engine, np.random.default_rng(0))
    model = engine.nn.parallel.DistributedDataParallel(model)
    optimizer = make(model.parameters())
    times = []
    for _ in range(UNTIMED + STEPS[program]):
        begun = time.perf_counter()
        optimizer.zero_grad()
        criterion(model(x), y).backward()
        optimizer.step()
        times.append(time.perf_counter() - begun)
    if dist.get_rank() == 0:
        print(json.dumps(median(times[UNTIMED:])))
    dist.barrier()
    dist.destroy_process_group()


def timed(name: str, program: str, n: int) -> float:
    launcher = mpiexec() or "mpiexec"
    command = [launcher, "-n", str(n), sys.executable, __file__, program, "--rank", name]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("programs", nargs="*", default=["cnn", "lstm"])
    parser.add_argument("-n", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rank", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.rank:
        rank(given.rank, given.programs[0])
        return
    for program in given.programs:
        found: dict[tuple[str, int], list[float]] = {}
        for _ in range(given.rounds):
            for name in ("labtorch", "torch"):
                for n in (1, given.n):
                    found.setdefault((name, n), []).append(timed(name, program, n))
        ms = {key: 1e3 * median(each) for key, each in found.items()}
        ours, theirs = (ms[name, given.n] for name in ("labtorch", "torch"))
        print(
            f"{program}: {given.n} ranks over 1: labtorch {ours / ms['labtorch', 1]:.2f} "
            f"({ours:.2f} ms), PyTorch {theirs / ms['torch', 1]:.2f} ({theirs:.2f} ms); "
            f"PyTorch over labtorch {theirs / ours:.2f}"
        )


if __name__ == "__main__":
    main()
