"""A collective that is under way."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from labtorch.distributed.groups import ProcessGroup


class Work:
    """What `async_op=True` returns: the tensor is only there after `wait()`."""

    def __init__(
        self, group: ProcessGroup, request: Any, what: str, finish: Callable[[Any], Any]
    ) -> None:
        self.group, self.request, self.what, self.finish = group, request, what, finish
        self.done = False
        self.value: Any = None

    def wait(self, timeout: timedelta | None = None) -> bool:
        """Wait for the other ranks; raises if one of them is gone."""
        if not self.done:
            seconds = None if timeout is None else timeout.total_seconds()
            self._finish(self.group.wait(self.request, self.what, seconds))
        return True

    def is_completed(self) -> bool:
        if not self.done and self.request.Test():
            self._finish(None)
        return self.done

    def is_success(self) -> bool:
        return self.is_completed()

    def result(self) -> Any:
        self.wait()
        return self.value

    def _finish(self, status: Any) -> None:
        self.done = True
        self.value = self.finish(status)
