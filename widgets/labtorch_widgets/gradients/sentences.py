"""The doctor's findings in words."""

from __future__ import annotations

from typing import Any

from ..shared.numbers import spoken
from ..shared.words import word


def shown(name: str, value: Any) -> str:
    """A value as a sentence says it: shares in per cent, counts in full."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    if name.endswith("share"):
        return f"{spoken(100 * value, 2)} %"
    if isinstance(value, int):
        return str(value)
    return spoken(value, 2)


def values(saying: Any) -> dict[str, str]:
    """What a sentence's places are filled with, but for `andMore`, which depends on language."""
    return {name: shown(name, value) for name, value in saying["values"].items()}


def said(saying: Any, lang: str) -> str:
    """One sentence of a finding."""
    filled = values(saying)
    more = int(saying["values"].get("more") or 0)
    filled["andMore"] = word("doctor.andMore", lang, more=more) if more > 0 else ""
    return word(f"doctor.say.{saying['key']}", lang, **filled)


def sentence(finding: Any, lang: str) -> str:
    gap = "" if lang == "zh" else " "
    return gap.join(said(saying, lang) for saying in finding["says"])


def place(finding: Any, lang: str) -> str:
    """The line of the user's code that is to blame; "" where none is known."""
    source = finding["source"]
    if source is None:
        return ""
    return word("doctor.line", lang, line=source["line"], text=source["text"].strip())


def text(findings: list[Any], lang: str) -> str:
    """All findings as plain text."""
    blocks = []
    for finding in findings:
        severity = word(f"doctor.severity.{finding['severity']}", lang)
        title = word(f"doctor.kind.{finding['kind']}", lang)
        lines = [f"{title} ({severity})" if finding["severity"] != "healthy" else title]
        lines.append("  " + sentence(finding, lang))
        if here := place(finding, lang):
            lines.append("  " + here)
        if finding["advice"]:
            lines.append("  → " + word(f"doctor.advice.{finding['advice']}", lang))
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)
