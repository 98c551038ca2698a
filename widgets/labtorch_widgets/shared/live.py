"""News on its way from the thread that computes to the views."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from .cursor import TimeCursor

INTERVAL = 0.1  # seconds between two publications, at least
SHARE = 0.02  # of the time that views may take from a training while nobody steers it
PAUSE = 1.0  # seconds between two publications, at most
QUIET = 0.4  # seconds without news after which views are told again: they may have skipped the last


class Publisher:
    """Tells a cursor's views of news, at most once an INTERVAL, in a thread of its own.

    Laying a graph out must not hold a training up. The thread ends when the cursor is gone, or
    after the news that follows `ended()`.
    """

    def __init__(self, cursor: TimeCursor, ended: Callable[[], bool] | None = None) -> None:
        self.news = threading.Event()
        self._cursor = weakref.ref(cursor, lambda _: self.news.set())
        self._ended = ended
        heard = self.news.set
        self._unlisten = cursor.recording.listen(heard)
        self._thread = threading.Thread(target=self._run, name="labtorch-publisher", daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Wait until the last news is told."""
        self._thread.join()

    def _run(self) -> None:
        settled = True
        while True:
            settled = not self.news.wait(None if settled else QUIET)
            self.news.clear()
            last = self._ended is not None and self._ended()
            cursor = self._cursor()
            if cursor is None:
                break
            began = time.monotonic()
            cursor.advance(now=last or settled)
            if last:
                break
            del cursor
            time.sleep(min(PAUSE, max(INTERVAL, (time.monotonic() - began) / SHARE)))
        self._unlisten()


def serve_between_cells(recording: Any) -> None:
    """Let what waits to be done between steps of the notebook's own thread be done while no cell
    runs; elsewhere do nothing."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return

    def attend() -> None:
        if recording.idle:
            recording.attend()

    def heard() -> None:
        if recording.has_requests and not recording.idle:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(attend)

    recording.listen(heard)


def running_cell() -> tuple[str, str] | None:
    """The id of the notebook cell that is running, and that of this run of it; None elsewhere."""
    try:
        from IPython.core.getipython import get_ipython

        parent = cast(Any, get_ipython()).kernel.get_parent()
        return parent["metadata"]["cellId"], parent["header"]["msg_id"]
    except (ImportError, AttributeError, KeyError):
        return None


def at_the_end_of_cells(act: Callable[[], Any]) -> None:
    """Call `act` (a method, held weakly) after every cell of the notebook; elsewhere do nothing."""
    shell: Any = None
    with contextlib.suppress(ImportError):
        from IPython.core.getipython import get_ipython

        shell = get_ipython()
    if shell is None:
        return
    reference = weakref.WeakMethod(cast(Any, act))

    def after_cell(*_: Any) -> None:
        if (method := reference()) is None:
            shell.events.unregister("post_run_cell", after_cell)
        else:
            method()

    shell.events.register("post_run_cell", after_cell)
