"""How this process was started: what MPI's launchers say in the environment."""

from __future__ import annotations

import os

# for each of PyTorch's variables, those of Hydra (MPICH), Open MPI and Slurm
_SAID = {
    "RANK": ("PMI_RANK", "OMPI_COMM_WORLD_RANK", "SLURM_PROCID"),
    "WORLD_SIZE": ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "SLURM_NTASKS"),
    "LOCAL_RANK": ("MPI_LOCALRANKID", "OMPI_COMM_WORLD_LOCAL_RANK", "SLURM_LOCALID"),
    "LOCAL_WORLD_SIZE": ("MPI_LOCALNRANKS", "OMPI_COMM_WORLD_LOCAL_SIZE", "SLURM_NTASKS_PER_NODE"),
}
HOW = "start the program by MPI: mpiexec -n {n} python program.py"


def by_mpi() -> bool:
    """Did a launcher of MPI start this process?"""
    return any(name in os.environ for name in ("PMI_RANK", "OMPI_COMM_WORLD_RANK"))


def announce() -> None:
    """Give programs the variables that torchrun would set, where they are not set yet."""
    if by_mpi():
        for name, said in _SAID.items():
            value = next((os.environ[each] for each in said if each in os.environ), None)
            if value is not None:
                os.environ.setdefault(name, value)


def claimed(name: str) -> int | None:
    """RANK or WORLD_SIZE as the environment has it."""
    value = os.environ.get(name)
    if value is None:
        return None
    try:
        return int(value)
    except ValueError:
        raise ValueError(f"{name}={value!r} in the environment is no number") from None
