"""What a learner chose: checked, and written as one short line of text."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

DATA = ("circle", "xor", "gauss", "spiral", "moons", "iris", "wine", "waves", "drawn")
ACTIVATIONS = ("ReLU", "Tanh", "Sigmoid", "linear")
FEATURES = ("x1", "x2", "x1²", "x2²", "x1x2", "sin x1", "sin x2")
OPTIMIZERS = ("SGD", "momentum", "Adam")
PENALTIES = ("none", "L1", "L2")
MOST_LAYERS, MOST_UNITS, MOST_POINTS = 6, 8, 150
HALF = 6.0  # the plane reaches from -HALF to HALF both ways
GRAIN = 0.1  # distance between two places that a drawn point can have

Point = tuple[float, float, int]


@dataclass(frozen=True)
class Choices:
    """Everything that the program is written from; only values that were checked get in."""

    data: str = "circle"
    noise: float = 0.0  # standard deviation, in units of the plane
    train: int = 80  # percent of the points
    batch: int = 10  # 0: all at once
    layers: tuple[int, ...] = (4, 2)
    activation: str = "Tanh"
    features: tuple[str, ...] = ("x1", "x2")
    lr: float = 0.03
    optimizer: str = "Adam"
    penalty: str = "none"
    strength: float = 0.001  # of the penalty
    seed: int = 0
    points: tuple[Point, ...] = ()  # drawn by the learner; kept while other data are shown

    def changed(self, changes: Mapping[str, Any]) -> Choices:
        """These choices with some of them made anew.

        Raises ValueError, which names the choice, for one that is unknown or not possible.
        """
        checked: dict[str, Any] = {}
        for name, value in changes.items():
            if name not in CHECKS:
                raise ValueError(f"no choice {name!r}: there are {', '.join(CHECKS)}")
            try:
                checked[name] = CHECKS[name](value)
            except (TypeError, ValueError, OverflowError) as error:
                raise ValueError(f"{name}: {error}") from None
        return replace(self, **checked)

    @property
    def regression(self) -> bool:
        """Is a number to be told for each point, rather than one of two classes?"""
        return self.data == "waves"

    def plain(self) -> dict[str, Any]:
        """The choices as JSON carries them."""
        return asdict(self)

    def text(self) -> str:
        """The choices that are not the usual ones, as a query string: `read` takes it back."""
        told = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if value == field.default:
                continue
            if field.name == "points":
                told[field.name] = _packed(value)
            elif isinstance(value, tuple):
                told[field.name] = "-".join(map(str, value))
            else:
                told[field.name] = f"{value:g}" if isinstance(value, float) else str(value)
        return urlencode(told, safe="²")


def read(text: str) -> Choices:
    """The choices in a line that `Choices.text` wrote. Raises ValueError for any other."""
    if not isinstance(text, str):
        raise ValueError(f"a playground's state is a text such as 'data=xor', not {text!r}")
    changes: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text)):
        if name == "points":
            changes[name] = _unpacked(value)
        elif name == "layers":
            changes[name] = [int(size) for size in value.split("-")] if value else []
        elif name == "features":
            changes[name] = value.split("-")
        elif name in ("train", "batch", "seed"):
            changes[name] = int(value)
        elif name in ("noise", "lr", "strength"):
            changes[name] = float(value)
        else:
            changes[name] = value
    return Choices().changed(changes)


# One check per choice: it returns the value in its one form, or raises.


def _one_of(options: tuple[str, ...]) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if not isinstance(value, str) or value not in options:
            raise ValueError(f"must be one of {', '.join(options)}, not {value!r}")
        return value

    return check


def _whole(low: int, high: int) -> Callable[[Any], int]:
    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
            raise ValueError(f"must be a whole number, not {value!r}")
        if not low <= value <= high:
            raise ValueError(f"must be from {low} to {high}, not {value!r}")
        return int(value)

    return check


def _real(low: float, high: float) -> Callable[[Any], float]:
    def check(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"must be a number, not {value!r}")
        if not (math.isfinite(value) and low <= value <= high):
            raise ValueError(f"must be from {low:g} to {high:g}, not {value!r}")
        return float(f"{value:.6g}")

    return check


def _layers(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list | tuple) or len(value) > MOST_LAYERS:
        raise ValueError(f"must be a list of at most {MOST_LAYERS} sizes, not {value!r}")
    size = _whole(1, MOST_UNITS)
    return tuple(size(each) for each in value)


def _features(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not value:
        raise ValueError("at least one feature has to go in")
    for each in value:
        _one_of(FEATURES)(each)
    return tuple(name for name in FEATURES if name in value)


def _points(value: Any) -> tuple[Point, ...]:
    if not isinstance(value, list | tuple) or len(value) > MOST_POINTS:
        raise ValueError(f"must be a list of at most {MOST_POINTS} points")
    return tuple(_point(each) for each in value)


def _point(value: Any) -> Point:
    if not isinstance(value, list | tuple) or len(value) != 3:
        raise ValueError(f"a point is (x1, x2, class), not {value!r}")
    coordinate = _real(-HALF, HALF)
    x1, x2 = (round(round(coordinate(each) / GRAIN) * GRAIN, 2) for each in value[:2])
    return x1 + 0.0, x2 + 0.0, _whole(0, 1)(value[2])


CHECKS: dict[str, Callable[[Any], Any]] = {
    "data": _one_of(DATA),
    "noise": _real(0, 2),
    "train": _whole(10, 90),
    "batch": _whole(0, 1000),
    "layers": _layers,
    "activation": _one_of(ACTIVATIONS),
    "features": _features,
    "lr": _real(1e-9, 1e9),
    "optimizer": _one_of(OPTIMIZERS),
    "penalty": _one_of(PENALTIES),
    "strength": _real(0, 100),
    "seed": _whole(0, 99_999),
    "points": _points,
}


def _packed(points: tuple[Point, ...]) -> str:
    """Three bytes a point: its two places on the plane, its class."""
    places = ((round((x1 + HALF) / GRAIN), round((x2 + HALF) / GRAIN), c) for x1, x2, c in points)
    raw = bytes(byte for place in places for byte in place)
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _unpacked(text: str) -> list[Point]:
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("points: not what a playground wrote") from None
    if len(raw) % 3:
        raise ValueError("points: not what a playground wrote")
    triples = (raw[at : at + 3] for at in range(0, len(raw), 3))
    return [(a * GRAIN - HALF, b * GRAIN - HALF, c) for a, b, c in triples]
