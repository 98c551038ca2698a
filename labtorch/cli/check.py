"""`labtorch check`: a notebook's exercises, run with nbval and told in plain words."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from importlib.util import find_spec
from pathlib import Path

import typer

from labtorch.cli.students import CHECK_TAG


def report(notebook: Path, timeout: int) -> int:
    """Run the notebook; print a line per exercise; 0 if all are solved."""
    if missing := [name for name in ("nbval", "nbformat", "rich") if not find_spec(name)]:
        typer.echo(f'check needs {", ".join(missing)}: pip install "labtorch[lab]"', err=True)
        return 2
    import nbformat
    from rich.console import Console

    try:
        cells = nbformat.read(notebook, as_version=4).cells
    except Exception as error:
        typer.echo(f"{notebook} is not a notebook that can be read: {error}", err=True)
        return 2
    code = [cell for cell in cells if cell.cell_type == "code"]
    checks = [i for i, c in enumerate(code) if CHECK_TAG in c.metadata.get("tags", [])]
    failures = run(notebook, timeout)
    console = Console(highlight=False, soft_wrap=True)
    if failures is None:
        console.print(f"{notebook} could not be run: its kernel did not start or died")
        return 2
    for number, at in enumerate(checks, 1):
        if at in failures:
            console.print(f"[red]✗[/] exercise {number}: {_escape(failures[at])}")
        else:
            console.print(f"[green]✓[/] exercise {number}")
    for at in sorted(set(failures) - set(checks)):
        first = code[at].source.strip().splitlines() or [""]
        console.print(
            f"[red]![/] cell {at + 1} ({_escape(first[0][:60])}): {_escape(failures[at])}"
        )
    solved = len(checks) - len(set(failures) & set(checks))
    console.print(f"{solved} of {len(checks)} exercises solved")
    return int(bool(failures))


def run(notebook: Path, timeout: int) -> dict[int, str] | None:
    """The code cells that raised, by number, with what they said; None if nothing ran."""
    notebook = notebook.resolve()  # pytest runs in the notebook's own folder
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.xml"
        subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "--nbval-lax", "--nbval-current-env", "-q"),
                *("-p", "no:cacheprovider", "-c", "/dev/null", f"--rootdir={notebook.parent}"),
                *(f"--nbval-cell-timeout={timeout}", f"--junitxml={result}", str(notebook)),
            ],
            capture_output=True,
            cwd=notebook.parent,
        )
        if not result.is_file():
            return None
        cases = list(ElementTree.parse(result).iter("testcase"))
    if not cases:
        return None
    failures = {}
    for case in cases:
        problem = case.find("failure")
        problem = case.find("error") if problem is None else problem
        number = re.search(r"Cell (\d+)", case.get("name", ""))
        if problem is not None and number:
            failures[int(number[1])] = message(problem.text or problem.get("message") or "")
    return failures


def message(text: str) -> str:
    """What a check said, or the last line of a traceback that names an error, or nbval's words."""
    plain = re.sub(r"(\x1b|#x1B)\[[0-9;]*m", "", text)  # colours, also as XML writes them
    lines = [line.strip() for line in plain.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"✗ |\w*(Error|Exception|Exit|Interrupt)\b", line)]
    found = errors[-1] if errors else (lines[-1] if lines else "failed")
    for prefix in ("✗ ", "AssertionError: ", "NotImplementedError: "):
        found = found.removeprefix(prefix)
    return found


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)
