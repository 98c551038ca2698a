"""The command line: `labtorch lab`, `check`, `doctor`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line, or say what it needs."""
    try:
        from labtorch.cli.commands import app
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("labtorch"):
            raise
        sys.exit(
            f"the labtorch command needs {error.name}, which is not installed.\n"
            'Install the lab: pip install "labtorch[lab]"'
        )
    app()
