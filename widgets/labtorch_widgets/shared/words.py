"""Every word a view shows, in English and Chinese, from catalogues that the browser shares.

Each folder has its own `words.json`; `shared/words.json` has what all views say.
"""

from __future__ import annotations

import json
import os
import weakref
from pathlib import Path
from typing import Protocol


def _catalogue() -> dict[str, dict[str, str]]:
    words: dict[str, dict[str, str]] = {}
    for path in sorted(Path(__file__).parents[1].glob("*/words.json")):
        for language, own in json.loads(path.read_text(encoding="utf-8")).items():
            words.setdefault(language, {}).update(own)
    return words


CATALOGUE = _catalogue()


class _Speaker(Protocol):
    language: str


def _spoken() -> str:
    """$LABTORCH_LANG if set; else the language of the notebook's folder: zh inside of zh/."""
    chosen = os.environ.get("LABTORCH_LANG", "")
    return chosen if chosen in CATALOGUE else "zh" if "zh" in Path.cwd().parts else "en"


_current = _spoken()
_speakers: weakref.WeakSet[_Speaker] = weakref.WeakSet()


def language(code: str | None = None) -> str:
    """The language of the views; with a code ("en", "zh"), switch every view to it.

    Raises ValueError for a language that the catalogue lacks.
    """
    global _current
    if code is not None:
        _current = known(code)
        for speaker in list(_speakers):
            speaker.language = _current
    return _current


def known(code: str | None) -> str:
    """`code` if the catalogue has it (the current language for None); "zh-CN" counts as "zh"."""
    if code is None:
        return _current
    short = str(code).replace("_", "-").split("-")[0].lower()
    if short not in CATALOGUE:
        raise ValueError(f"no language {code!r}: there are {', '.join(map(repr, CATALOGUE))}")
    return short


def word(key: str, lang: str | None = None, **values: object) -> str:
    """The catalogue's text for `key`, with `{name}` places filled from `values`."""
    text = CATALOGUE[lang or _current][key]
    for name, value in values.items():
        text = text.replace("{" + name + "}", str(value))
    return text


def follow(speaker: _Speaker) -> None:
    """Switch `speaker.language` whenever `language` is called; the speaker is held weakly."""
    _speakers.add(speaker)
