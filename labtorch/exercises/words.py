"""Which language a check speaks, and how it says that an answer holds or does not."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

HERE = str(Path(__file__).parent)


def language() -> str:
    """$LABTORCH_LANG if set; else that of the notebook's folder: zh inside of zh/, en elsewhere."""
    chosen = os.environ.get("LABTORCH_LANG")
    return chosen if chosen in ("en", "zh") else "zh" if "zh" in Path.cwd().parts else "en"


def say(en: str, zh: str) -> str:
    return zh if language() == "zh" else en


class NotYet(AssertionError):
    """An answer that does not hold yet. IPython shows the sentence, without our stack."""

    def _render_traceback_(self) -> list[str]:
        return [f"✗ {self}"]


def require(holds: object, en: str, zh: str) -> None:
    """Fail the check with a sentence that tells the learner what to look at."""
    if not holds:
        raise NotYet(say(en, zh))


def exercise(check: Callable[..., None]) -> Callable[..., None]:
    """A check whose errors show the learner's own lines: those of the check are left out."""

    @functools.wraps(check)
    def checked(*answers: Any) -> None:
        __tracebackhide__ = True  # read by IPython and pytest
        try:
            check(*answers)
        except NotYet:
            raise
        except Exception as error:
            raise error.with_traceback(_without_ours(error.__traceback__)) from None

    return checked


def _without_ours(traceback: TracebackType | None) -> TracebackType | None:
    if traceback is None:
        return None
    rest = _without_ours(traceback.tb_next)
    if traceback.tb_frame.f_code.co_filename.startswith(HERE):
        return rest
    return TracebackType(rest, traceback.tb_frame, traceback.tb_lasti, traceback.tb_lineno)


def well_done(en: str, zh: str) -> None:
    print("✓ " + say(en, zh))
