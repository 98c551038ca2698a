"""`labtorch lab`: JupyterLab on the welcome notebook."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import typer

BESIDE = Path(__file__).resolve().parent
SETTINGS = BESIDE / "jupyter"  # defaults: Lab asks for no news; what a person has set wins
MANIFEST = ".labtorch-notebooks.json"  # what was copied, so that later copies spare changed files


def open_lab(port: int, browser: bool, lang: str) -> int:
    """Start JupyterLab; its exit status."""
    missing = [name for name in ("jupyterlab", "anywidget", "pygraphviz") if not find_spec(name)]
    if missing:
        typer.echo(f'the lab needs {", ".join(missing)}: pip install "labtorch[lab]"', err=True)
        return 1
    folder, untouched = notebooks()
    trust(untouched)
    free = free_port(port)
    if free != port:
        typer.echo(f"port {port} is taken; the lab uses {free}")
    command = [
        *(sys.executable, "-m", "jupyterlab", f"--port={free}", "--ServerApp.port_retries=0"),
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.root_dir={folder}",
        f"--LabApp.default_url=/lab/tree/{lang}/welcome.ipynb",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.news_url=",
        "--LabApp.extension_manager=readonly",
    ]
    if not browser:
        command.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    paths = [str(SETTINGS), *filter(None, [os.environ.get("JUPYTER_CONFIG_PATH")])]
    environment = os.environ | {"JUPYTER_CONFIG_PATH": os.pathsep.join(paths)}
    typer.echo(f"notebooks: {folder}")
    try:
        return subprocess.call(command, env=environment)
    except KeyboardInterrupt:  # Ctrl-C reached JupyterLab, too, which has asked and ended
        return 0


def free_port(port: int) -> int:
    """`port`, or the next one that nobody listens on."""
    if not 0 < port < 65536:
        raise typer.BadParameter(f"a port is between 1 and 65535, not {port}", param_hint="--port")
    for each in range(port, min(port + 100, 65536)):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", each))
            except OSError:
                continue
            return each
    raise typer.BadParameter(f"no free port from {port} on", param_hint="--port")


def notebooks() -> tuple[Path, list[Path]]:
    """The folder of notebooks, and those in it that are as they were published.

    It is the checkout's own folder, or a copy of the packaged one.
    """
    checkout = BESIDE.parents[1] / "notebooks"
    if (checkout / "en" / "welcome.ipynb").is_file():
        return checkout, committed(checkout)
    target = Path.cwd() / "labtorch-notebooks"
    return target, copy_unchanged(BESIDE / "notebooks", target)


def committed(folder: Path) -> list[Path]:
    """The notebooks that git knows and that nobody changed; none without git."""

    def names(*command: str) -> set[str]:
        git = ["git", "-C", str(folder), *command]
        return set(
            subprocess.run(git, capture_output=True, text=True, check=True).stdout.split("\0")
        )

    try:
        tracked = names("ls-files", "-z", "--", "*.ipynb")
        changed = names("diff", "HEAD", "--name-only", "--relative", "-z")
    except (OSError, subprocess.CalledProcessError):
        return []
    return [folder / name for name in sorted(tracked - changed) if name]


def trust(published: list[Path]) -> None:
    """Let Lab show the pictures saved in these: it hides them in notebooks from elsewhere."""
    import nbformat
    from nbformat.sign import NotebookNotary

    notary = NotebookNotary()
    for path in published:
        notary.sign(nbformat.read(path, as_version=4))
    notary.store.close()


def copy_unchanged(source: Path, target: Path) -> list[Path]:
    """Copy the notebooks; a file that somebody changed since the last copy stays as it is.

    Returned are the notebooks that equal the packaged ones.
    """
    target.mkdir(exist_ok=True)
    manifest = target / MANIFEST
    known = json.loads(manifest.read_text()) if manifest.is_file() else {}
    same = []
    for file in sorted(path for path in source.rglob("*") if path.is_file()):
        name = file.relative_to(source).as_posix()
        copy = target / name
        if not copy.exists() or digest(copy) == known.get(name):
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
            known[name] = digest(copy)
        if digest(copy) != digest(file):
            typer.echo(f"kept your {name}")
        elif copy.suffix == ".ipynb":
            same.append(copy)
    manifest.write_text(json.dumps(known, indent=1))
    return same


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
