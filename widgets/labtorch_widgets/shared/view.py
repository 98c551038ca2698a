"""The base of every view: its words, its moment, its frames, and a still for where none runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from . import words
from .comm import answer_on_the_main_shell
from .cursor import TimeCursor

STATIC = Path(__file__).parent.parent / "static"
PATIENCE = 0.3  # seconds to wait for a browser's "drawn" before sending the next frame anyway

NOT_BUILT = """export default {{ render({{ el }}) {{ el.textContent =
  "labtorch: the bundle {name} is missing. Run `npm ci && npm run build` in widgets/js."; }} }}"""


def bundle(name: str) -> str:
    """The built script or style sheet `name`, or a script that says how to build it."""
    path = STATIC / name
    if path.exists():
        return path.read_text(encoding="utf-8")
    return NOT_BUILT.format(name=name) if name.endswith(".js") else ""


class View(anywidget.AnyWidget):
    """A picture of a recording that the browser draws and the kernel feeds.

    A subclass gives `make_frame` (the numbers at the cursor's step), `still` (an SVG), `summary`
    (one line of text that does not change from run to run), and registers the commands it takes
    in `self.commands`. Frames are pulled: the next one leaves when the browser has drawn the last
    one, so a slow browser slows neither the training nor itself.
    """

    each_step = False  # does a step that was not measured change what the view shows?

    language = traitlets.Unicode("en").tag(sync=True)
    frame = traitlets.Dict().tag(sync=True)
    # has the view a time slider of its own? Not where it stands among others that share one
    timeline = traitlets.Bool(True).tag(sync=True)

    def __init__(self, cursor: TimeCursor, *, lang: str | None = None, **traits: Any) -> None:
        self.cursor = cursor
        self._lock = threading.RLock()
        self._serial = 0
        self._sent_at = 0.0
        self._waiting = self._stale = False
        self._shown: Any = None
        self.commands: dict[str, Callable[..., Any]] = {
            "drawn": self._on_drawn,
            "hello": lambda: None,  # is anybody there?
            "seek": lambda step=None: self.cursor.move(step),
            "shift": lambda count: self.cursor.shift(int(count)),
        }
        super().__init__(language=words.known(lang), **traits)
        answer_on_the_main_shell(self.comm)
        self.on_msg(self._on_message)
        words.follow(self)
        cursor.watch(self.refresh)

    # What a subclass says

    def make_frame(self) -> dict[str, Any]:
        """The numbers to draw now, as data that JSON carries."""
        raise NotImplementedError

    def still(self) -> str:
        """The view as SVG; where there is nothing to draw yet, a sentence that says so."""
        raise NotImplementedError

    def summary(self) -> str:
        """The view in one line that is the same in every run: no times, ids or addresses."""
        raise NotImplementedError

    # What a view does

    def refresh(self, *, now: bool = False) -> None:
        """Send a frame, or, unless `now`, let it wait until the browser has drawn the last."""
        with self._lock:
            shown = self.cursor.moment
            if not now and not self.each_step and shown == self._shown:
                return
            elapsed = time.monotonic() - self._sent_at
            if self._waiting and not now and elapsed < PATIENCE:
                self._stale = True
                return
            self._serial += 1
            self._shown = shown
            frame = self.make_frame() | {"serial": self._serial}
            self._waiting, self._stale, self._sent_at = True, False, time.monotonic()
            self.frame = frame

    def update(self, **traits: Any) -> None:
        """Set traits as one message, from any thread."""
        with self._lock, self.hold_sync():
            for name, value in traits.items():
                setattr(self, name, value)

    def close(self) -> None:
        self.cursor.unwatch(self.refresh)
        super().close()

    def __repr__(self) -> str:
        return self.summary()

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        self.refresh(now=True)  # the picture is of this moment
        bundle_and_metadata = super()._repr_mimebundle_(**kwargs)
        return with_still(bundle_and_metadata, self.summary(), self.still())

    # Messages from the browser

    def _on_message(self, _widget: Any, content: Any, _buffers: Any) -> None:
        """Run the command a message names, and answer; a message that names none is not for us.

        Messages come from a page, so anything may be in them: what a command cannot take is told
        to the page, and changes nothing else.
        """
        if not isinstance(content, dict) or not isinstance(content.get("command"), str):
            return
        name = content["command"]
        if (command := self.commands.get(name)) is None:
            return
        complaint = ""
        try:
            command(**{key: value for key, value in content.items() if key != "command"})
        except Exception as error:
            complaint = f"{name}: {type(error).__name__}: {error}"[:300]
        if name != "drawn":
            self.send({"answer": name, "complaint": complaint})

    def _on_drawn(self, serial: int) -> None:
        with self._lock:
            if serial >= self._serial:
                self._waiting = False
                if self._stale:
                    self.refresh()


def with_still(bundle: Any, summary: str, still: str) -> Any:
    """A mime bundle with its text made stable and a picture for readers without a kernel."""
    data, *metadata = bundle if isinstance(bundle, tuple) else (bundle,)
    data = dict(data or {}) | {"text/plain": summary, "image/svg+xml": still}
    return (data, *metadata) if metadata else data
