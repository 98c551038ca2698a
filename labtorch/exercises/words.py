"""Which language a check speaks, and how it says that an answer holds or does not."""

from __future__ import annotations

import os
from pathlib import Path


def language() -> str:
    """$LABTORCH_LANG if set; else that of the notebook's folder: zh inside of zh/, en elsewhere."""
    chosen = os.environ.get("LABTORCH_LANG")
    return chosen if chosen in ("en", "zh") else "zh" if "zh" in Path.cwd().parts else "en"


def say(en: str, zh: str) -> str:
    return zh if language() == "zh" else en


def require(holds: object, en: str, zh: str) -> None:
    """Fail the check with a sentence that tells the learner what to look at."""
    if not holds:
        raise AssertionError(say(en, zh))


def well_done(en: str, zh: str) -> None:
    print("✓ " + say(en, zh))
