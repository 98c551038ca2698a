"""What a rank does when it ends: a failure ends the job, and nobody waits for one that left."""

from __future__ import annotations

import contextlib
import io
import sys
import time
from typing import Any

from labtorch.distributed import mpi


class InAScript:
    """An error that nobody catches is told to the other ranks, which then end as well."""

    def __init__(self, world: mpi.World) -> None:
        self.world: mpi.World | None = world
        self.before = sys.excepthook
        sys.excepthook = self._uncaught

    def _uncaught(self, kind: type[BaseException], error: BaseException, trace: Any) -> None:
        world = self.world
        if world is None or world.size == 1:
            self.before(kind, error, trace)
            return
        told = io.StringIO()
        with contextlib.redirect_stderr(told):
            self.before(kind, error, trace)
        # in one piece: lines of several ranks do not mix
        sys.stderr.write(f"rank {world.rank} of {world.size} failed:\n{told.getvalue()}")
        sys.stderr.flush()
        sys.stdout.flush()
        if world.lost is None:
            world.tell(mpi.FAILURE, f"rank {world.rank} failed: {mpi.last_line(error)}")
        time.sleep(1)  # seconds for the others to hear, and to say so
        world.comm.Abort(1)

    def farewell(self) -> None:
        """The program has ended; others that still count on this rank shall not wait for it."""
        world, self.world = self.world, None
        if world is not None and world.lost is None:
            world.tell(mpi.ABSENCE, "has ended")

    def undo(self) -> None:
        """The ranks part in peace."""
        self.world = None
        if sys.excepthook == self._uncaught:
            sys.excepthook = self.before


class InANotebook(InAScript):
    """The process lives on after an error, and so does the job, if no other rank waits."""

    def __init__(self, world: mpi.World, shell: Any) -> None:
        self.world, self.shell = world, shell
        self.before = shell.showtraceback  # called for every cell, and every call, that raises
        shell.showtraceback = self._shown
        shell.events.register("pre_run_cell", self._begins)

    def _shown(self, exc_tuple: Any = None, *options: Any, **more: Any) -> None:
        error = exc_tuple[1] if exc_tuple else sys.exc_info()[1]
        if self.world is not None and error is not None:
            self.world.fails(error)
        self.before(exc_tuple, *options, **more)

    def _begins(self, info: Any = None) -> None:
        if self.world is not None:
            self.world.goes_on()

    def undo(self) -> None:
        self.world = None
        self.shell.events.unregister("pre_run_cell", self._begins)
        self.shell.showtraceback = self.before


def watched(world: mpi.World) -> InAScript:
    """Listen for the end of this process, in the way that fits where it runs."""
    shell = sys.modules.get("IPython") and sys.modules["IPython"].get_ipython()
    return InANotebook(world, shell) if shell else InAScript(world)
