"""What tests share: requirements that are skipped here and fail in CI, JupyterLab, a browser."""

from __future__ import annotations

import importlib.util
import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from tests import lab_harness

hypothesis.settings.register_profile("ci", derandomize=True, deadline=None)
if os.environ.get("CI"):  # at a desk every run looks for new examples; CI repeats its own
    hypothesis.settings.load_profile("ci")


def _missing(*modules: str) -> str | None:
    absent = [name for name in modules if importlib.util.find_spec(name) is None]
    return f"needs {', '.join(absent)}" if absent else None


def _no_browser() -> str | None:
    if lab_harness.chromium() is None:
        return "needs Chromium ($CHROMIUM, or on the path)"
    return _missing("playwright", "jupyterlab", "anywidget")


def _no_gpu() -> str | None:
    from labtorch.backend.devices import cuda_is_available

    return None if cuda_is_available() else "needs a GPU and CuPy"


def _no_mpi() -> str | None:
    from tests.distributed.launch import mpiexec

    return _missing("mpi4py") or (None if mpiexec() else "needs mpiexec")


REQUIREMENTS: dict[str, Callable[[], str | None]] = {
    "browser": _no_browser,
    "notebook": lambda: _missing("nbval", "ipykernel", "anywidget"),
    "oracle": lambda: _missing("torch"),
    "mpi": _no_mpi,
    "gpu": _no_gpu,
}


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A test whose requirement is missing is skipped on a desk and fails in CI (but for GPUs)."""
    for mark, lacks in REQUIREMENTS.items():
        if item.get_closest_marker(mark):
            item.user_properties.append(("mark", mark))  # keywords hold names of folders, too
            reason = lacks()
            if reason and os.environ.get("CI") and mark != "gpu":
                pytest.fail(f"CI must run the {mark} tests: {reason}", pytrace=False)
            elif reason:
                pytest.skip(reason)


_ran: dict[str, int] = dict.fromkeys(REQUIREMENTS, 0)


def pytest_report_teststatus(report: pytest.TestReport, config: pytest.Config) -> None:
    if report.when == "call" and report.outcome != "skipped":
        for mark in REQUIREMENTS:
            _ran[mark] += any(mark == value for _, value in report.user_properties)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    counts = ", ".join(f"{n} {mark}" for mark, n in _ran.items())
    terminalreporter.write_line(f"of these ran: {counts}")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """In CI a whole run in which no browser, notebook or oracle test ran has not passed."""
    whole = not session.config.args or session.config.args == session.config.getini("testpaths")
    if not (os.environ.get("CI") and whole and exitstatus == 0) or hasattr(
        session.config, "workerinput"
    ):
        return
    idle = [mark for mark in ("browser", "notebook", "oracle", "mpi") if not _ran[mark]]
    if idle and not session.config.option.collectonly:
        print(f"no {' and no '.join(idle)} test ran")
        session.exitstatus = 1


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[lab_harness.Lab]:
    """A JupyterLab, started once for the session."""
    server = lab_harness.Lab(tmp_path_factory.mktemp("lab"))
    yield server
    server.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    with lab_harness.browser() as instance:
        yield instance


@pytest.fixture
def open_notebook(lab: lab_harness.Lab, browser: Any) -> Iterator[Callable[..., Any]]:
    """open_notebook([source, ...]) or open_notebook(path): a notebook in a page of its own."""
    contexts: list[Any] = []
    number = itertools.count()
    folder = lab.folder / f"test-{os.getpid()}-{id(contexts)}"

    def open_it(
        cells: list[str] | Path, *, width: int = 1280, height: int = 900, **options: Any
    ) -> lab_harness.Notebook:
        folder.mkdir(exist_ok=True)
        name = f"{next(number)}.ipynb"
        if isinstance(cells, Path):
            name = cells.name
            shutil.copy(cells, folder / name)
        else:
            lab_harness.write_notebook(folder / name, cells)
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        return lab_harness.Notebook(lab, context.new_page(), f"{folder.name}/{name}")

    yield open_it
    for context in contexts:
        context.close()
    lab.end_kernels(folder.name)
