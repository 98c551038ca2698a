"""`labtorch doctor`: what this machine has, and what to install for what it lacks."""

from __future__ import annotations

import ctypes
import json
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from typing import NamedTuple


class Finding(NamedTuple):
    """One thing that was looked for."""

    what: str
    found: str | None  # None: it is not there
    advice: str = ""  # what to do, or what it is for
    extra: str = ""  # of labtorch's extras, the one that brings it
    needed: bool = False  # without it the lab cannot run


def package(name: str, use: str, extra: str, needed: bool = False) -> Finding:
    """A package that labtorch uses where it is installed."""
    found = version(name)
    return Finding(name, found, "" if found else f"for {use}", extra, needed)


def version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


# ---------------------------------------------------------------- the rooms of a machine
def machine() -> Iterator[Finding]:
    import labtorch

    yield Finding("labtorch", labtorch.__version__)
    yield Finding("Python", f"{platform.python_version()} on {platform.platform()}")
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    count = os.cpu_count() or 1
    shared = f", {usable} of them for this process" if usable and usable != count else ""
    yield Finding("processors", f"{count}{shared}")
    if memory := _memory():
        yield Finding("memory", f"{memory / 2**30:.1f} GiB")


def _memory() -> int | None:
    """Bytes of main memory, where the system tells."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None


def arithmetic() -> Iterator[Finding]:
    import labtorch

    yield Finding("NumPy", version("numpy"))
    yield blas()
    yield Finding("threads", f"{labtorch.get_num_threads()}, over which large work is split")


def blas() -> Finding:
    """The library behind NumPy's products of matrices, its kernels and its threads."""
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return Finding("BLAS", None, "to see it and hold its threads: threadpoolctl", "lab")
    found = [
        f"{lib['internal_api']} {lib['version']}, {lib.get('architecture', 'generic')} kernels, "
        f"{lib['num_threads']} thread{'s' if lib['num_threads'] != 1 else ''}"
        for lib in threadpool_info()
        if lib["user_api"] == "blas"
    ]
    many = any("threads" in each for each in found)
    advice = "import labtorch before numpy, so that it can hold the BLAS to one" if many else ""
    return Finding("BLAS", "; ".join(found) or "none that threadpoolctl knows", advice)


def gpus() -> Iterator[Finding]:
    driver = cuda_of_driver()
    cupys = {name: version(name) for name in ("cupy-cuda12x", "cupy-cuda13x", "cupy")}
    here = [f"{name} {found}" for name, found in cupys.items() if found]
    yield Finding(
        "NVIDIA driver",
        driver and f"for CUDA {driver[0]}.{driver[1]}",
        "" if driver else 'nothing to do without an NVIDIA GPU: device="cpu" computes everything',
    )
    if not here:
        extra = f"cuda{min(max(driver[0], 12), 13)}" if driver else ""
        yield Finding("CuPy", None, "for the GPU" if driver else "", extra)
        return
    several = "several exclude each other: uninstall all but one" if len(here) > 1 else ""
    yield Finding("CuPy", ", ".join(here), several)
    yield from _devices(driver is not None)
    extra = "cuda13" if cupys["cupy-cuda13x"] else "cuda12"
    yield package("nvidia-cudnn-frontend", "convolutions on cuDNN", extra if driver else "")


def _devices(driver: bool) -> Iterator[Finding]:
    try:
        import cupy

        for index in range(cupy.cuda.runtime.getDeviceCount()):
            about = cupy.cuda.runtime.getDeviceProperties(index)
            memory = about["totalGlobalMem"] / 2**30
            capability = f"{about['major']}.{about['minor']}"
            name = about["name"].decode()
            yield Finding(f"cuda:{index}", f"{name}, {memory:.1f} GiB, capability {capability}")
    except Exception as error:  # whatever keeps CuPy from a GPU is what there is to say
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        advice = f"CuPy says: {reason}" if driver else ""
        yield Finding("GPU", None, advice)


def cuda_of_driver() -> tuple[int, int] | None:
    """The version of CUDA that the installed driver serves; None without a driver."""
    name = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        driver, number = ctypes.CDLL(name), ctypes.c_int()
        if driver.cuDriverGetVersion(ctypes.byref(number)) != 0:
            return None
    except (OSError, AttributeError):
        return None
    return number.value // 1000, number.value % 1000 // 10


def views() -> Iterator[Finding]:
    yield package("jupyterlab", "the lab", "lab", needed=True)
    yield package("anywidget", "the views", "lab", needed=True)
    yield layout()
    yield package("latex2mathml", "formulas in the views", "lab")
    yield package("matplotlib", "figures of the chapters", "lab")
    yield package("scikit-learn", "the diabetes data", "lab")
    yield package("nbval", "labtorch check", "lab")


def layout() -> Finding:
    """What lays graphs out, tried on a graph of two nodes."""
    try:
        import pygraphviz

        drawing = pygraphviz.AGraph(directed=True)
        drawing.add_edge("a", "b")
        drawing.layout(prog="dot")
    except ImportError:
        return Finding("graph layout", None, "to draw graphs", "lab")
    except Exception as error:
        return Finding("graph layout", None, f"pygraphviz cannot lay out a graph: {error}")
    return Finding("graph layout", f"Graphviz in pygraphviz {version('pygraphviz')}")


def parallel() -> Iterator[Finding]:
    yield package("mpi4py", "torch.distributed", "parallel")
    from labtorch.distributed.notebook import mpiexec

    launcher = mpiexec()
    advice = "" if launcher else "to start several processes"
    yield Finding("mpiexec", launcher, advice, "parallel")
    yield package("ipyparallel", "several processes from a notebook", "parallel")


def files() -> Iterator[Finding]:
    yield package("safetensors", "weights in safetensors files", "export")
    yield package("onnx", "torch.onnx.export", "export")
    yield package("onnxruntime", "running exported models", "export")


def development() -> Iterator[Finding]:
    yield package("torch", "the oracle tests", "oracle")
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    chromium = os.environ.get("CHROMIUM") or browser
    yield Finding("Chromium", chromium, "" if chromium else "for the tests of the views")


ROOMS: dict[str, Callable[[], Iterator[Finding]]] = {
    "Machine": machine,
    "Arithmetic": arithmetic,
    "GPU": gpus,
    "Lab": views,
    "Parallel training": parallel,
    "Files": files,
    "Development": development,
}


def examine(as_json: bool = False) -> int:
    """Print the findings; 0 if the lab can run."""
    findings = {room: list(look()) for room, look in ROOMS.items()}
    every = [each for found in findings.values() for each in found]
    if as_json:
        plain = {room: [each._asdict() for each in found] for room, found in findings.items()}
        print(json.dumps(plain, indent=2))
    else:
        _print(findings)
        if extras := sorted({each.extra for each in every if each.extra and not each.found}):
            print(f'\nTo add what is not there: pip install "labtorch[{",".join(extras)}]"')
    return int(any(each.needed and not each.found for each in every))


def _print(findings: dict[str, list[Finding]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column()
    for room, found in findings.items():
        table.add_row(Text(room, "bold"))
        for each in found:
            missing = "red" if each.needed else "yellow"
            said = Text(each.found) if each.found else Text("not there", missing)
            if each.advice:
                joint = "\n" if each.found else ", "
                said.append(joint + each.advice, "" if not each.found else "yellow")
            table.add_row(f"  {each.what}", said)
    Console(highlight=False).print(table)
