"""`labtorch doctor`: what this machine has, and what to install for what it lacks."""

from __future__ import annotations

import os
import platform
from importlib import metadata

OPTIONAL = {
    "jupyterlab": ("the lab", "lab"),
    "anywidget": ("the views", "lab"),
    "pygraphviz": ("the layout of graphs", "lab"),
    "latex2mathml": ("formulas in the views", "lab"),
    "threadpoolctl": ("set_num_threads", "lab"),
    "scikit-learn": ("the diabetes data", "lab"),
    "nbval": ("labtorch check", "lab"),
    "torch": ("the oracle tests", "oracle"),
    "cupy-cuda12x": ("GPUs (CUDA 12)", "cuda12"),
    "cupy-cuda13x": ("GPUs (CUDA 13)", "cuda13"),
}


def version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def blas() -> str:
    """The BLAS behind NumPy, its kernel and its threads."""
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return "unknown (threadpoolctl is not installed)"
    import numpy  # noqa: F401 - loads the BLAS

    found = [
        f"{lib['internal_api']} {lib['version']}, {lib.get('architecture', 'generic')} kernels, "
        f"{lib['num_threads']} threads"
        for lib in threadpool_info()
        if lib["user_api"] == "blas"
    ]
    return "; ".join(found) or "none found"


def examine() -> int:
    """Print the findings; 0 if the lab can run."""
    from rich.console import Console
    from rich.table import Table

    import labtorch
    from labtorch.backend.devices import cuda_is_available

    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_row("labtorch", labtorch.__version__)
    table.add_row("Python", f"{platform.python_version()} on {platform.platform()}")
    table.add_row("processors", str(os.cpu_count()))
    table.add_row("NumPy", version("numpy") or "missing")
    table.add_row("BLAS", blas())
    table.add_row("GPU", "ready" if cuda_is_available() else "none that CuPy can use")
    for package, (use, extra) in OPTIONAL.items():
        found = version(package)
        advice = f'[yellow]not installed[/]: for {use}, pip install "labtorch\\[{extra}]"'
        table.add_row(package, found or advice)
    Console(highlight=False).print(table)
    return 0 if version("jupyterlab") and version("anywidget") else 1
