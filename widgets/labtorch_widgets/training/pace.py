"""How fast a training goes, so that a person can follow it."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Pace(NamedTuple):
    unit: Literal["step", "op"]
    seconds: float  # from one to the next


PACES = {
    "full": Pace("step", 0.0),
    "steps10": Pace("step", 0.1),
    "step1": Pace("step", 1.0),
    "ops4": Pace("op", 0.25),
    "op1": Pace("op", 1.25),
}
FULL = "full"


def known(name: object) -> str:
    """`name` if it is one; ValueError otherwise."""
    if name not in PACES:
        raise ValueError(f"no pace {name!r}: there are {', '.join(map(repr, PACES))}")
    return str(name)
