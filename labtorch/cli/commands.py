"""The commands, as people type them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="See deep learning work: the lab, its exercises, and what this machine has.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command()
def lab(
    port: Annotated[int, typer.Option(help="Where to serve; if taken, another is used.")] = 8888,
    browser: Annotated[bool, typer.Option(help="Open a browser.")] = True,
    lang: Annotated[str, typer.Option(help="Language of the notebooks: en or zh.")] = "en",
) -> None:
    """Open JupyterLab on the welcome notebook, with the chapters beside it."""
    from labtorch.cli.lab import open_lab

    if lang not in ("en", "zh"):
        raise typer.BadParameter(f"notebooks are in en and zh, not {lang}", param_hint="--lang")
    raise typer.Exit(open_lab(port, browser, lang))


@app.command()
def check(
    notebook: Annotated[Path, typer.Argument(help="The notebook you worked in.")],
    timeout: Annotated[int, typer.Option(help="Seconds that one cell may take.")] = 120,
) -> None:
    """Run a notebook from top to bottom and tell which of its exercises are solved."""
    from labtorch.cli.check import report

    if not notebook.is_file():
        raise typer.BadParameter(f"there is no file {notebook}", param_hint="NOTEBOOK")
    raise typer.Exit(report(notebook, timeout))


@app.command(hidden=True)
def execute(
    notebooks: Annotated[list[Path], typer.Argument(help="Notebooks to run and save.")],
    timeout: Annotated[int, typer.Option(help="Seconds that one cell may take.")] = 120,
) -> None:
    """Run notebooks and save them with their outputs, as the chapters are saved."""
    from labtorch.cli.execute import execute as run

    for path in notebooks:
        run(path, timeout)
        typer.echo(path)


@app.command(hidden=True)
def students(
    folder: Annotated[Path, typer.Argument(help="A folder with solutions/ in it.")],
) -> None:
    """Make the students' notebooks from the solutions."""
    from labtorch.cli.students import write_students

    for path in write_students(folder):
        typer.echo(path)


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print it for programs.")] = False,
) -> None:
    """Say what this machine has, and what to install for what it lacks."""
    from labtorch.cli.doctor import examine

    raise typer.Exit(examine(as_json))
