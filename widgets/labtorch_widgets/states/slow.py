"""Work that is too slow for a frame: done in a thread of its own, the newest wish first."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

SHARE = 0.02  # of the time, while a training goes on
LONGEST = 3.0  # seconds of rest, however long the work took
REMEMBERED = 64


class Slow:
    """Answers by key. What is not known yet is worked out, and `ready` is called then."""

    def __init__(self, ready: Callable[[], Any]) -> None:
        self._ready = ready
        self._known: OrderedDict[Any, Any] = OrderedDict()
        self._wish: tuple[Any, Callable[[], Any]] | None = None
        self._hurry = threading.Event()
        self._lock = threading.Lock()
        self._at_work = False

    def ask(self, key: Any, work: Callable[[], Any], *, hurry: bool) -> Any:
        """The answer to `key`, or None while it is being worked out.

        A new wish takes the place of one that was not begun. With `hurry` the worker does not rest.
        """
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]
            self._wish = (key, work)
            if hurry:
                self._hurry.set()
            if not self._at_work:
                self._at_work = True
                threading.Thread(target=self._run, name="labtorch-slow", daemon=True).start()
            return None

    def _run(self) -> None:
        while True:
            with self._lock:
                if self._wish is None:
                    self._at_work = False
                    return
                (key, work), self._wish = self._wish, None
                self._hurry.clear()
            began = time.monotonic()
            try:
                found = work()
            except LookupError as reason:
                found = reason
            except Exception as error:  # told in the view; the training goes on
                found = LookupError(f"{type(error).__name__}: {error}")
            spent = time.monotonic() - began
            with self._lock:
                self._known[key] = found
                while len(self._known) > REMEMBERED:
                    self._known.popitem(last=False)
            self._ready()
            self._hurry.wait(min(spent / SHARE, LONGEST))
