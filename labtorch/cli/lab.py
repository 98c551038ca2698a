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
MANIFEST = ".labtorch-notebooks.json"  # what was copied, so that later copies spare changed files


def open_lab(port: int, browser: bool, lang: str) -> int:
    """Start JupyterLab; its exit status."""
    missing = [name for name in ("jupyterlab", "anywidget", "pygraphviz") if not find_spec(name)]
    if missing:
        typer.echo(f'the lab needs {", ".join(missing)}: pip install "labtorch[lab]"', err=True)
        return 1
    folder = notebooks()
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
    typer.echo(f"notebooks: {folder}")
    try:
        return subprocess.call(command)
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


def notebooks() -> Path:
    """The folder of notebooks: the checkout's own, else a copy of the packaged ones."""
    checkout = BESIDE.parents[1] / "notebooks"
    if (checkout / "en" / "welcome.ipynb").is_file():
        return checkout
    packaged = BESIDE / "notebooks"
    target = Path.cwd() / "labtorch-notebooks"
    copy_unchanged(packaged, target)
    return target


def copy_unchanged(source: Path, target: Path) -> None:
    """Copy the notebooks; a file that somebody changed since the last copy stays as it is."""
    target.mkdir(exist_ok=True)
    manifest = target / MANIFEST
    known = json.loads(manifest.read_text()) if manifest.is_file() else {}
    for file in sorted(path for path in source.rglob("*") if path.is_file()):
        name = file.relative_to(source).as_posix()
        copy = target / name
        if copy.exists() and digest(copy) != known.get(name):
            if digest(copy) != digest(file):
                typer.echo(f"kept your {name}")
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
        known[name] = digest(copy)
    manifest.write_text(json.dumps(known, indent=1))


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
