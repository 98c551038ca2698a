"""A plane through the weights of a model: two directions, and where weights lie on it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

Weights = list[np.ndarray]  # one array per parameter, in the model's order


class Plane:
    """The points centre + u first + v second.

    Of two parameters, the centre is zero at both, so that u and v are their values. `share` is the
    part of a path's variance that each direction holds, where they were fitted to one.
    """

    def __init__(
        self,
        kind: str,
        labels: tuple[str, str],
        centre: Weights,
        first: Weights,
        second: Weights,
        share: tuple[float, float] | None = None,
    ) -> None:
        self.kind, self.labels, self.share = kind, labels, share
        self.centre, self.directions = centre, (first, second)
        self.origin = (0.0, 0.0)  # where the weights stood when the plane was laid
        gram = [[dot(a, b) for a in self.directions] for b in self.directions]
        if not abs(np.linalg.det(gram)) > 1e-12 * gram[0][0] * gram[1][1]:
            raise ValueError("the two directions are parallel, or one of them is zero")
        self.inverse = np.linalg.inv(gram)
        # most planes of two parameters leave most arrays alone
        self.moved = [i for i, pair in enumerate(zip(first, second)) if any(d.any() for d in pair)]

    def at(self, u: float, v: float, index: int) -> np.ndarray:
        """The parameter number `index` at the point (u, v)."""
        first, second = self.directions
        return self.centre[index] + u * first[index] + v * second[index]

    def project(self, weights: Weights) -> tuple[float, float, float]:
        """(u, v) of the nearest point of the plane, and the distance from it."""
        with np.errstate(all="ignore"):  # weights that run away have no place
            away = [w - c for w, c in zip(weights, self.centre)]
            along = np.array([dot(away, direction) for direction in self.directions])
            u, v = self.inverse @ along
            square, inside = dot(away, away), float(along @ (u, v))
            off = square - inside
        return float(u), float(v), float(np.sqrt(off)) if off > 1e-9 * square else 0.0


def dot(a: Weights, b: Weights) -> float:
    return float(sum(np.vdot(x, y) for x, y in zip(a, b)))


def norm(a: Weights) -> float:
    return float(np.sqrt(dot(a, a)))


def of_two_parameters(
    names: Sequence[str], weights: Weights, chosen: Sequence[tuple[int, tuple[int, ...]]]
) -> Plane:
    """The plane of two numbers among the weights, with all the others as they are."""
    centre = [w.copy() for w in weights]
    directions: list[Weights] = []
    for at, index in chosen:
        centre[at][index] = 0
        direction = [np.zeros_like(w) for w in weights]
        direction[at][index] = 1
        directions.append(direction)
    labels = [label(names[at], index, weights[at]) for at, index in chosen]
    plane = Plane("parameters", (labels[0], labels[1]), centre, directions[0], directions[1])
    u, v = (float(weights[at][index]) for at, index in chosen)
    plane.origin = (u, v)
    return plane


def label(name: str, index: tuple[int, ...], array: np.ndarray) -> str:
    return name if array.size == 1 else f"{name}[{', '.join(map(str, index))}]"


def element(spec: str, names: Sequence[str], weights: Weights) -> tuple[int, tuple[int, ...]]:
    """What "fc.weight[0, 1]" means: which parameter, and which of its numbers.

    Raises LookupError for a name that no parameter has, IndexError for an index that is not there,
    ValueError where an index is missing or is none.
    """
    match = re.fullmatch(r"\s*([^\[\]]+?)\s*(?:\[([^\[\]]*)\])?\s*", str(spec))
    name = match[1] if match else str(spec)
    if not match or name not in names:
        raise LookupError(f"no parameter '{name}'; there are {', '.join(names)}")
    at = list(names).index(name)
    array = weights[at]
    if match[2] is None:
        if array.size != 1:
            shape = ", ".join(map(str, array.shape))
            raise ValueError(f"which number of '{name}' ({shape})? Say '{name}[0]' or the like")
        return at, (0,) * array.ndim
    try:
        index = tuple(int(part) for part in match[2].split(",") if part.strip())
    except ValueError:
        raise ValueError(f"'{match[2]}' is no index: write numbers, as in '{name}[0]'") from None
    if len(index) != array.ndim or any(
        not -n <= i < n for i, n in zip(index, array.shape, strict=True)
    ):
        shape = ", ".join(map(str, array.shape))
        raise IndexError(f"'{name}' has the shape ({shape}): there is no [{match[2]}] in it")
    return at, tuple(i % n for i, n in zip(index, array.shape))


def random(weights: Weights, draw: np.random.Generator) -> Weights:
    """A random direction whose filters are as long as the weights' own.

    Without that, a plane through a network whose scale does not matter looks as flat or as steep as
    the weights are large. Source: Li et al., "Visualizing the Loss Landscape of Neural Nets",
    NeurIPS 2018. Biases and other vectors count as one filter.
    """
    direction = []
    for w in weights:
        d = draw.standard_normal(w.shape).astype(w.dtype)
        axes = tuple(range(1, w.ndim)) if w.ndim > 1 else None
        own = np.sqrt(np.sum(w * w, axes, keepdims=w.ndim > 1))
        length = np.sqrt(np.sum(d * d, axes, keepdims=w.ndim > 1))
        direction.append(d * (own / np.maximum(length, 1e-12)).astype(w.dtype))
    if norm(direction) == 0:  # a model that starts at zero has no scale of its own
        return [draw.standard_normal(w.shape).astype(w.dtype) for w in weights]
    return direction


def upright(direction: Weights, against: Weights) -> Weights:
    """`direction` without its part along `against`, so that the picture shows true angles."""
    share = dot(direction, against) / dot(against, against)
    return [d - share * a for d, a in zip(direction, against)]


def scaled(direction: Weights, length: float) -> Weights:
    own = norm(direction)
    return [d * (length / own) for d in direction] if own else direction


def of_random_directions(weights: Weights, seed: int) -> Plane:
    draw = np.random.default_rng(seed)
    first = random(weights, draw)
    second = upright(random(weights, draw), first)
    return Plane("random", ("", ""), weights, first, second)


def of_gradient(weights: Weights, gradient: Weights, seed: int) -> Plane:
    """Uphill to the right; a random direction, of the same length, across it."""
    if not norm(gradient) > 0:
        raise ValueError("the gradient is zero here, or no number: it gives no direction")
    first = scaled(gradient, norm(weights) or 1.0)
    across = upright(random(weights, np.random.default_rng(seed)), first)
    return Plane("gradient", ("", ""), weights, first, scaled(across, norm(first)))


def of_path(path: Sequence[Weights], seed: int) -> Plane:
    """The plane that a path of weights stays closest to: its two principal components, of length
    1, around its last point (Li et al. 2018, section 7). Raises ValueError for a path that stands
    still."""
    last = path[-1]
    away = [[w - c for w, c in zip(weights, last)] for weights in path[:-1]]
    gram = np.array([[dot(a, b) for b in away] for a in away])
    if not (gram.size and np.isfinite(gram).all() and np.trace(gram) > 0):
        raise ValueError("the weights have not moved: their path gives no direction")
    values, vectors = np.linalg.eigh(gram)  # ascending
    total, lesser = float(values.sum()), float(values[-2]) if len(away) > 1 else 0.0
    first = scaled(_combined(away, vectors[:, -1]), 1.0)
    if lesser > 1e-10 * total:
        second = _combined(away, vectors[:, -2])
    else:  # a straight path leaves the second direction open
        second, lesser = random(last, np.random.default_rng(seed)), 0.0
    second = scaled(upright(second, first), 1.0)
    return Plane("pca", ("", ""), last, first, second, (float(values[-1]) / total, lesser / total))


def _combined(away: list[Weights], factors: np.ndarray) -> Weights:
    return [sum(f * a[i] for f, a in zip(factors, away)) for i in range(len(away[0]))]


def of_directions(
    pair: Sequence[Any], names: Sequence[str], weights: Weights, host: Callable[[Any], np.ndarray]
) -> Plane:
    """The plane of two given directions: each a mapping by name, or arrays in the model's order."""
    if len(pair) != 2:
        raise ValueError(f"a plane has two directions, not {len(pair)}")
    directions: list[Weights] = []
    for each in pair:
        arrays = [each.get(name) for name in names] if isinstance(each, Mapping) else list(each)
        if len(arrays) != len(weights):
            raise ValueError(f"a direction has one array for each of {len(weights)} parameters")
        direction = [
            np.zeros_like(w) if a is None else np.asarray(host(a), w.dtype)
            for a, w in zip(arrays, weights)
        ]
        for name, d, w in zip(names, direction, weights):
            if d.shape != w.shape:
                raise ValueError(f"'{name}' has the shape {w.shape}, its direction {d.shape}")
        directions.append(direction)
    return Plane("given", ("", ""), weights, directions[0], directions[1])
