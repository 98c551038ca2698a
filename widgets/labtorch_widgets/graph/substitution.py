r"""Formulas with the numbers put in: how one element of a result, or of a gradient, came about.

Each op that has a rule says, for one element, what is to be read (LaTeX with numbers) and what
comes out of it. `forward` and `backward` show a line only where what comes out is what the engine
has computed: of an op without a rule, or of arrays that are not whole, nothing is said.

    y_{0,1} = 0.31 \cdot 1.2 + (-0.4) \cdot 0.55 + 0.1 \approx 0.252
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .evidence import Evidence

MOST_TERMS = 5  # of a sum: more are shown as the first, dots, and the last
TOLERANCE = 2e-4  # relative: the engine adds in another order, in float32

Index = tuple[int, ...]


class Unknown(Exception):
    """There is no rule for this, or not all that it needs is there."""


@dataclass
class Line:
    """The right side of an equation, and what it comes to."""

    latex: str
    value: float
    terms: int = 1  # of the sum that it is


Rule = Callable[[Evidence, Index], Line]


# ---------------------------------------------------------------- what views ask for
def forward(op: str, given: Evidence, index: Sequence[int]) -> dict[str, Any] | None:
    """The element `index` of the output of `op`, with its numbers put in; None where unknown."""
    rule = FORWARD.get(op)
    if rule is None or given.output is None:
        return None
    return _checked("y", rule, given, given.output, index)


def backward(
    op: str, given: Evidence, argument: str, index: Sequence[int]
) -> dict[str, Any] | None:
    """The element `index` of the gradient that `op` sent back to `argument`, likewise."""
    rule = BACKWARD.get(op, {}).get(argument)
    sent = given.gradients.get(argument)
    if rule is None or sent is None or given.cotangent is None:
        return None
    symbol = rf"\bar {SYMBOLS.get(argument, 'x')}"
    return _checked(symbol, rule, given, sent, index)


SYMBOLS = {"weight": "W", "bias": "b", "other": "b", "target": "t", "exponent": "b"}


def _checked(
    symbol: str, rule: Rule, given: Evidence, of: np.ndarray, index: Sequence[int]
) -> dict[str, Any] | None:
    at = tuple(int(i) for i in index)
    if len(at) != of.ndim or any(not 0 <= i < n for i, n in zip(at, of.shape)):
        return None
    if of.dtype.kind not in "fiub":
        return None
    result = float(of[at])
    try:
        with np.errstate(all="ignore"):
            line = rule(given, at)
    except (Unknown, KeyError, IndexError, ValueError, TypeError, ZeroDivisionError):
        return None
    if not _same(line.value, result, float(np.abs(of[np.isfinite(of)]).max(initial=0.0))):
        return None
    where = "_{" + ",".join(map(str, at)) + "}" if at else ""
    shown = number(result)
    latex = f"{symbol}{where} = {line.latex}"
    if line.latex != shown:
        # the numbers are rounded, but an extreme is one of those that stand there
        chosen = line.latex.startswith((r"\max", r"\min"))
        latex += f" = {shown}" if chosen else rf" \approx {shown}"
    return {"latex": latex, "value": result, "terms": line.terms, "index": list(at)}


def _same(a: float, b: float, scale: float) -> bool:
    if not (math.isfinite(a) and math.isfinite(b)):
        return str(a) == str(b)
    return abs(a - b) <= TOLERANCE * max(abs(a), abs(b)) + 1e-6 * scale + 1e-30


# ---------------------------------------------------------------- writing
def number(value: float) -> str:
    """Three significant digits, in LaTeX."""
    value = float(value)
    if not math.isfinite(value):
        return r"\mathrm{NaN}" if math.isnan(value) else r"\infty" if value > 0 else r"-\infty"
    text = f"{value:.3g}"
    if "e" in text:
        mantissa, _, exponent = text.partition("e")
        if abs(value) < 1e5 and abs(value) >= 1:
            return str(round(value))
        return rf"{mantissa} \cdot 10^{{{int(exponent)}}}"
    return text


def factor(value: float) -> str:
    """A number beside a dot or below a power: in parentheses, if it is more than digits."""
    text = number(value)
    return f"({{{text}}})" if text.startswith("-") or "cdot" in text else text


def product(*values: float) -> str:
    first, *rest = values
    return r" \cdot ".join([number(first), *map(factor, rest)])


def added(texts: Iterable[str]) -> str:
    """Terms with plus and minus between them."""
    line = ""
    for text in texts:
        if text.startswith("-"):
            line += f" - {text[1:]}" if line else text
        else:
            line += f" + {text}" if line else text
    return line


def series(count: int, term: Callable[[int], str], join: Callable = added, most: int = 0) -> str:
    """All terms, or the first ones, dots and the last."""
    most = most or MOST_TERMS
    if count <= most:
        return join([term(i) for i in range(count)])
    head = [term(i) for i in range(most - 2)]
    return join([*head, r"\dots", term(count - 1)])


def sum_of_products(a: np.ndarray, b: np.ndarray, *more: float) -> Line:
    """a_0 b_0 + a_1 b_1 + ... (+ a bias)."""
    a, b = _flat(a), _flat(b)
    text = series(len(a), lambda i: product(a[i], b[i]))
    total = float(a @ b)
    for each in more:
        text = added([text, number(each)]) if len(a) else number(each)
        total += float(each)
    return Line(text or "0", total, len(a) + len(more))


def sum_of(values: np.ndarray) -> Line:
    flat = _flat(values)
    text = series(len(flat), lambda i: number(flat[i]))
    return Line(text or "0", float(flat.sum()), len(flat))


def _flat(array: Any) -> np.ndarray:
    return np.asarray(array, np.float64).ravel()


# ---------------------------------------------------------------- reading
def whole(given: Evidence, name: str) -> np.ndarray:
    """An argument with all its elements."""
    array = given.arguments[name]
    if name in given.shapes and list(array.shape) != list(given.shapes[name]):
        raise Unknown(f"only the first rows of {name} were kept")
    return array


def cotangent(given: Evidence) -> np.ndarray:
    if given.cotangent is None:
        raise Unknown("no gradient has come back")
    return given.cotangent


def option(given: Evidence, name: str, default: Any) -> Any:
    """An argument that is no tensor."""
    if name in given.arguments:
        raise Unknown(f"{name} is a tensor here")
    return given.options.get(name, default)


def operand(given: Evidence, name: str) -> np.ndarray:
    """A tensor or a number, as an array."""
    if name in given.arguments:
        return given.arguments[name]
    if isinstance(given.options.get(name), int | float):
        return np.asarray(given.options[name], np.float64)
    raise Unknown(f"there is no {name}")


# ---------------------------------------------------------------- one element at a time
Text = Callable[..., str]
Number = Callable[..., Any]


@dataclass
class Pointwise:
    """y = f(a, b, ...), element by element, the operands broadcast against each other.

    `shown` and `computed` take the operands in order; a slope takes the operands and the result.
    """

    operands: tuple[str, ...]
    shown: Text
    computed: Number
    slopes: dict[str, tuple[Text, Number]]

    def forward(self, given: Evidence, index: Index) -> Line:
        values = [float(v) for v in self.at(given, index)]
        return Line(self.shown(*values), float(self.computed(*values)))

    def at(self, given: Evidence, index: Index) -> list[Any]:
        return [_element(operand(given, name), index) for name in self.operands]

    def backward(self, name: str) -> Rule:
        shown, computed = self.slopes[name]

        def rule(given: Evidence, index: Index) -> Line:
            g = cotangent(given)
            if given.output is None or g.shape != given.output.shape:
                raise Unknown("the output is not there")
            places = _places(whole(given, name).shape, g.shape, index)
            arrays = [np.broadcast_to(operand(given, o), g.shape) for o in self.operands]
            arrays = [_flat(a[places]) for a in (*arrays, given.output, g)]
            *values, y, back = arrays
            slope = np.broadcast_to(np.asarray(computed(*values, y), np.float64), back.shape)

            def term(i: int) -> str:
                text = shown(*(v[i] for v in values), y[i])
                if text in ("", "-"):
                    return number(-back[i] if text else back[i])
                return rf"{number(back[i])} \cdot {text}"

            terms = np.where(back == 0, 0.0, back * slope) if (back == 0).any() else back * slope
            return Line(series(len(back), term), float(terms.sum()), len(back))

        return rule


def _element(array: np.ndarray, index: Index) -> Any:
    """The element that broadcasting puts at `index` of the result."""
    behind = index[len(index) - array.ndim :] if array.ndim else ()
    return array[tuple(0 if n == 1 else i for i, n in zip(behind, array.shape))]


def _places(shape: Index, out: Index, index: Index) -> tuple[Any, ...]:
    """Where in the result the element `index` of an operand of `shape` went."""
    extra = len(out) - len(shape)
    kept = [slice(None) if n == 1 else i for i, n in zip(index, shape)]
    return (*(slice(None),) * extra, *kept)


def unary(shown: Text, computed: Number, slope: Text, rate: Number) -> Pointwise:
    return Pointwise(("input",), shown, computed, {"input": (slope, rate)})


def named(name: str, computed: Number, slope: Text, rate: Number) -> Pointwise:
    """f(0.31), for functions that are written by their name."""
    return unary(lambda x: rf"{name}({number(x)})", computed, slope, rate)


def sigmoid(x: Any) -> Any:
    return np.tanh(np.asarray(x, np.float64) * 0.5) * 0.5 + 0.5


def _condition(holds: Any) -> str:
    return "1" if holds else "0"


POINTWISE: dict[str, Pointwise] = {
    "relu": unary(
        lambda x: rf"\max(0,\, {number(x)})",
        lambda x: np.maximum(x, 0),
        lambda x, y: _condition(y > 0),
        lambda x, y: y > 0,
    ),
    "tanh": named(
        r"\tanh",
        np.tanh,
        lambda x, y: rf"(1 - {factor(y)}^{{2}})",
        lambda x, y: 1 - y * y,
    ),
    "sigmoid": unary(
        lambda x: rf"\frac{{1}}{{1 + e^{{{number(-x)}}}}}",
        sigmoid,
        lambda x, y: rf"{factor(y)} \cdot (1 - {factor(y)})",
        lambda x, y: y * (1 - y),
    ),
    "exp": unary(lambda x: rf"e^{{{number(x)}}}", np.exp, lambda x, y: factor(y), lambda x, y: y),
    "log": named(r"\ln", np.log, lambda x, y: rf"\frac{{1}}{{{number(x)}}}", lambda x, y: 1 / x),
    "log1p": unary(
        lambda x: rf"\ln(1 + {factor(x)})",
        np.log1p,
        lambda x, y: rf"\frac{{1}}{{1 + {factor(x)}}}",
        lambda x, y: 1 / (1 + x),
    ),
    "sqrt": unary(
        lambda x: rf"\sqrt{{{number(x)}}}",
        np.sqrt,
        lambda x, y: rf"\frac{{1}}{{2 \cdot {factor(y)}}}",
        lambda x, y: 0.5 / y,
    ),
    "square": unary(
        lambda x: rf"{factor(x)}^{{2}}",
        np.square,
        lambda x, y: rf"2 \cdot {factor(x)}",
        lambda x, y: 2 * x,
    ),
    "reciprocal": unary(
        lambda x: rf"\frac{{1}}{{{number(x)}}}",
        lambda x: 1 / x,
        lambda x, y: rf"(-{factor(y)}^{{2}})",
        lambda x, y: -y * y,
    ),
    "neg": unary(
        lambda x: f"-{factor(x)}", lambda x: -x, lambda x, y: "-", lambda x, y: -np.ones_like(x)
    ),
    "abs": unary(
        lambda x: rf"|{number(x)}|",
        np.abs,
        lambda x, y: factor(np.sign(x)),
        lambda x, y: np.sign(x),
    ),
    "sin": named(r"\sin", np.sin, lambda x, y: rf"\cos({number(x)})", lambda x, y: np.cos(x)),
    "cos": named(r"\cos", np.cos, lambda x, y: rf"(-\sin({number(x)}))", lambda x, y: -np.sin(x)),
    "silu": unary(
        lambda x: rf"{number(x)} \cdot \sigma({number(x)})",
        lambda x: x * sigmoid(x),
        lambda x, y: rf"\sigma({number(x)})\,(1 + {factor(x)}\,(1 - \sigma({number(x)})))",
        lambda x, y: sigmoid(x) * (1 + x * (1 - sigmoid(x))),
    ),
    "softplus": Pointwise(
        ("input", "beta"),
        lambda x, b: rf"\frac{{1}}{{{number(b)}}} \ln(1 + e^{{{product(b, x)}}})",
        lambda x, b: np.logaddexp(0, b * x) / b,
        {
            "input": (
                lambda x, b, y: rf"\sigma({product(b, x)})",
                lambda x, b, y: sigmoid(b * x),
            )
        },
    ),
    "leaky_relu": Pointwise(
        ("input", "negative_slope"),
        lambda x, a: number(x) if x > 0 else product(a, x),
        lambda x, a: np.where(x > 0, x, a * x),
        {
            "input": (
                lambda x, a, y: factor(1 if x > 0 else a),
                lambda x, a, y: np.where(x > 0, 1, a),
            )
        },
    ),
    "add": Pointwise(
        ("input", "other", "alpha"),
        lambda a, b, k: added([number(a), number(b) if k == 1 else product(k, b)]),
        lambda a, b, k: a + k * b,
        {
            "input": (lambda a, b, k, y: "", lambda a, b, k, y: 1.0),
            "other": (
                lambda a, b, k, y: "" if k == 1 else factor(k),
                lambda a, b, k, y: k,
            ),
        },
    ),
    "sub": Pointwise(
        ("input", "other", "alpha"),
        lambda a, b, k: f"{number(a)} - {factor(b) if k == 1 else product(k, b)}",
        lambda a, b, k: a - k * b,
        {
            "input": (lambda a, b, k, y: "", lambda a, b, k, y: 1.0),
            "other": (
                lambda a, b, k, y: "-" if k == 1 else factor(-k),
                lambda a, b, k, y: -k,
            ),
        },
    ),
    "mul": Pointwise(
        ("input", "other"),
        lambda a, b: product(a, b),
        lambda a, b: a * b,
        {
            "input": (lambda a, b, y: factor(b), lambda a, b, y: b),
            "other": (lambda a, b, y: factor(a), lambda a, b, y: a),
        },
    ),
    "div": Pointwise(
        ("input", "other"),
        lambda a, b: rf"\frac{{{number(a)}}}{{{number(b)}}}",
        lambda a, b: a / b,
        {
            "input": (lambda a, b, y: rf"\frac{{1}}{{{number(b)}}}", lambda a, b, y: 1 / b),
            "other": (
                lambda a, b, y: rf"\left(-\frac{{{number(a)}}}{{{factor(b)}^{{2}}}}\right)",
                lambda a, b, y: -a / b / b,
            ),
        },
    ),
    "pow": Pointwise(
        ("input", "exponent"),
        lambda a, b: rf"{factor(a)}^{{{number(b)}}}",
        lambda a, b: np.power(a, b),
        {
            "input": (
                lambda a, b, y: rf"{factor(b)} \cdot {factor(a)}^{{{number(b)} - 1}}",
                lambda a, b, y: b * np.power(a, b - 1),
            ),
            "exponent": (
                lambda a, b, y: rf"{factor(y)} \ln {factor(a)}",
                lambda a, b, y: y * np.log(a),
            ),
        },
    ),
    "maximum": Pointwise(
        ("input", "other"),
        lambda a, b: rf"\max({number(a)},\, {number(b)})",
        np.maximum,
        {
            "input": (
                lambda a, b, y: factor(0.5 if a == b else a > b),
                lambda a, b, y: np.where(a == b, 0.5, a > b),
            ),
            "other": (
                lambda a, b, y: factor(0.5 if a == b else b > a),
                lambda a, b, y: np.where(a == b, 0.5, b > a),
            ),
        },
    ),
    "minimum": Pointwise(
        ("input", "other"),
        lambda a, b: rf"\min({number(a)},\, {number(b)})",
        np.minimum,
        {
            "input": (
                lambda a, b, y: factor(0.5 if a == b else a < b),
                lambda a, b, y: np.where(a == b, 0.5, a < b),
            ),
            "other": (
                lambda a, b, y: factor(0.5 if a == b else b < a),
                lambda a, b, y: np.where(a == b, 0.5, b < a),
            ),
        },
    ),
    "dropout": Pointwise(
        ("input", "mask"),
        lambda x, m: product(x, m),
        lambda x, m: x * m,
        {"input": (lambda x, m, y: factor(m), lambda x, m, y: m)},
    ),
}


# ---------------------------------------------------------------- products of matrices
def linear(given: Evidence, index: Index) -> Line:
    weight = whole(given, "weight")
    if weight.ndim != 2:
        raise Unknown("a weight that is a vector")
    *row, j = index
    bias = [given.arguments["bias"][j]] if "bias" in given.arguments else []
    return sum_of_products(given.arguments["input"][tuple(row)], weight[j], *bias)


def linear_input(given: Evidence, index: Index) -> Line:
    *row, k = index
    return sum_of_products(cotangent(given)[tuple(row)], whole(given, "weight")[:, k])


def linear_weight(given: Evidence, index: Index) -> Line:
    j, k = index
    g, x = cotangent(given), whole(given, "input")
    return sum_of_products(g[..., j], x[..., k])


def linear_bias(given: Evidence, index: Index) -> Line:
    return sum_of(cotangent(given)[..., index[0]])


def matmul(given: Evidence, index: Index) -> Line:
    a, b = whole(given, "input"), whole(given, "other")
    rows, columns = a.ndim > 1, b.ndim > 1
    batch = index[: len(index) - rows - columns]
    i = index[len(batch)] if rows else None
    j = index[-1] if columns else None
    left = _matrix(a, batch)[i] if rows else a
    right = _matrix(b, batch)[:, j] if columns else b
    return sum_of_products(left, right)


def _matrix(x: np.ndarray, batch: Index) -> np.ndarray:
    if x.ndim == 2:
        return x
    lead = x.shape[:-2]
    behind = batch[len(batch) - len(lead) :]
    return x[tuple(0 if n == 1 else i for i, n in zip(behind, lead))]


def matmul_input(given: Evidence, index: Index) -> Line:
    a, b, g = whole(given, "input"), whole(given, "other"), cotangent(given)
    if a.ndim == 1 and b.ndim == 1:
        line = sum_of_products(g.reshape(1), b[index[0]].reshape(1))
    elif a.ndim == 2 and b.ndim == 1:
        line = sum_of_products(g[index[0]].reshape(1), b[index[1]].reshape(1))
    elif a.ndim == 1 and b.ndim == 2:
        line = sum_of_products(g, b[index[0]])
    elif a.shape[:-2] == g.shape[:-2]:
        *batch, i, k = index
        line = sum_of_products(g[(*batch, i)], _matrix(b, tuple(batch))[k])
    else:
        raise Unknown("a batch that is broadcast")
    return line


def matmul_other(given: Evidence, index: Index) -> Line:
    a, b, g = whole(given, "input"), whole(given, "other"), cotangent(given)
    if a.ndim == 1 and b.ndim == 1:
        line = sum_of_products(g.reshape(1), a[index[0]].reshape(1))
    elif a.ndim == 2 and b.ndim == 1:
        line = sum_of_products(a[:, index[0]], g)
    elif a.ndim == 1 and b.ndim == 2:
        line = sum_of_products(a[index[0]].reshape(1), g[index[1]].reshape(1))
    elif b.ndim == 2:
        line = sum_of_products(a[..., index[0]], g[..., index[1]])
    elif b.shape[:-2] == g.shape[:-2]:
        *batch, k, j = index
        line = sum_of_products(_matrix(a, tuple(batch))[:, k], g[tuple(batch)][:, j])
    else:
        raise Unknown("a batch that is broadcast")
    return line


# ---------------------------------------------------------------- reductions
def _reduced(given: Evidence) -> tuple[np.ndarray, tuple[int, ...], bool]:
    """The input, the axes that are summed over, and whether they stay with size 1."""
    x = whole(given, "input")
    dim = option(given, "dim", None)
    dims = range(x.ndim) if dim is None or dim == () else (dim,) if isinstance(dim, int) else dim
    return x, tuple(sorted(d % max(1, x.ndim) for d in dims)), bool(option(given, "keepdim", False))


def _gathered(given: Evidence, index: Index) -> np.ndarray:
    """The elements that go into the element `index` of a reduction."""
    x, axes, keepdim = _reduced(given)
    kept = iter([i for d, i in enumerate(index) if d not in axes] if keepdim else index)
    return x[tuple(slice(None) if d in axes else next(kept) for d in range(x.ndim))]


def _returned(given: Evidence, index: Index) -> tuple[float, int]:
    """The cotangent of the element that `index` went into, and of how many elements that is."""
    x, axes, keepdim = _reduced(given)
    g = cotangent(given)
    count = math.prod(x.shape[d] for d in axes)
    at = (
        tuple(0 if d in axes else i for d, i in enumerate(index))
        if keepdim
        else tuple(i for d, i in enumerate(index) if d not in axes)
    )
    return float(g[at]), count


def total(given: Evidence, index: Index) -> Line:
    return sum_of(_gathered(given, index))


def total_input(given: Evidence, index: Index) -> Line:
    g, _ = _returned(given, index)
    return Line(number(g), g)


def _mean(values: np.ndarray, shown: Callable[[int], str], most: int = 4) -> Line:
    flat = _flat(values)
    text = series(len(flat), shown, most=most)
    return Line(rf"\frac{{1}}{{{len(flat)}}}\left({text}\right)", float(flat.mean()), len(flat))


def mean(given: Evidence, index: Index) -> Line:
    values = _flat(_gathered(given, index))
    return _mean(values, lambda i: number(values[i]))


def mean_input(given: Evidence, index: Index) -> Line:
    g, n = _returned(given, index)
    return Line(rf"\frac{{{number(g)}}}{{{n}}}", g / n)


def extreme(word: str, choose: Callable) -> Rule:
    def rule(given: Evidence, index: Index) -> Line:
        values = _flat(_gathered(given, index))
        text = series(len(values), lambda i: number(values[i]), join=r",\, ".join)
        return Line(rf"\{word}({text})", float(choose(values)), len(values))

    return rule


# ---------------------------------------------------------------- losses
def _errors(given: Evidence) -> tuple[np.ndarray, np.ndarray, str]:
    a, b = np.broadcast_arrays(whole(given, "input"), whole(given, "target"))
    return a.astype(np.float64), b.astype(np.float64), option(given, "reduction", "mean")


def mse(given: Evidence, index: Index) -> Line:
    a, b, reduction = _errors(given)

    def square(x: float, y: float) -> str:
        return rf"({number(x)} - {factor(y)})^{{2}}"

    if reduction == "none":
        return Line(square(a[index], b[index]), float((a[index] - b[index]) ** 2))
    flat_a, flat_b = a.ravel(), b.ravel()
    squares = (flat_a - flat_b) ** 2
    if reduction == "mean":
        return _mean(squares, lambda i: square(flat_a[i], flat_b[i]), most=3)
    text = series(len(squares), lambda i: square(flat_a[i], flat_b[i]), most=3)
    return Line(text, float(squares.sum()), len(squares))


def mse_gradient(sign: int) -> Rule:
    def rule(given: Evidence, index: Index) -> Line:
        a, b, reduction = _errors(given)
        own = whole(given, "input" if sign > 0 else "target")
        if own.shape != a.shape:
            raise Unknown("an operand that is broadcast")
        g = cotangent(given)
        here = float(g[index] if reduction == "none" else g)
        share = 2 / a.size if reduction == "mean" else 2.0
        shown = rf"\frac{{2}}{{{a.size}}}" if reduction == "mean" else "2"
        error = a[index] - b[index]
        text = (
            rf"{'-' if sign < 0 else ''}{factor(here) if sign < 0 else number(here)} \cdot {shown} "
            rf"\cdot ({number(a[index])} - {factor(b[index])})"
        )
        return Line(text, sign * here * share * float(error))

    return rule


def _logits(given: Evidence) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of logits, their classes, and which of them count."""
    x, t = whole(given, "input"), whole(given, "target")
    if option(given, "weight", None) is not None or option(given, "label_smoothing", 0.0):
        raise Unknown("weighted classes")
    if x.ndim > 2:
        raise Unknown("classes at every place of a picture")
    t = np.atleast_1d(t).astype(np.int64)
    return np.atleast_2d(x).astype(np.float64), t, t != option(given, "ignore_index", -100)


def _softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def _likelihood(
    given: Evidence, index: Index, each: np.ndarray, shown: Callable[[float], str]
) -> Line:
    """-(... + ...) / n over labels, of what was computed for each."""
    _, t, counts = _logits(given)
    reduction = option(given, "reduction", "mean")
    if reduction == "none":
        n = index[0] if index else 0
        return Line(rf"-{shown(each[n])}", -float(np.log(each[n])) if shown is _ln else -each[n])
    values = each[counts]
    text = series(len(values), lambda i: shown(values[i]), most=4)
    total = float((np.log(values) if shown is _ln else values).sum())
    share = len(values) if reduction == "mean" else 1
    scale = rf"\frac{{1}}{{{share}}}" if share != 1 else ""
    return Line(rf"-{scale}\left({text}\right)", -total / share, len(values))


def _ln(p: float) -> str:
    return rf"\ln {factor(p)}"


def cross_entropy(given: Evidence, index: Index) -> Line:
    x, t, counts = _logits(given)
    p = _softmax(x)[np.arange(len(t)), np.where(counts, t, 0)]
    return _likelihood(given, index, p, _ln)


def nll(given: Evidence, index: Index) -> Line:
    x, t, counts = _logits(given)
    return _likelihood(given, index, x[np.arange(len(t)), np.where(counts, t, 0)], factor)


def cross_entropy_input(given: Evidence, index: Index) -> Line:
    x, t, counts = _logits(given)
    n, c = index if len(index) == 2 else (0, index[0])
    reduction = option(given, "reduction", "mean")
    g = cotangent(given)
    here = float(g[index[:1]] if reduction == "none" and g.ndim else g)
    if not counts[n]:
        return Line("0", 0.0)
    share = int(counts.sum()) if reduction == "mean" else 1
    p, hit = float(_softmax(x[n])[c]), int(t[n] == c)
    scale = rf"\cdot \frac{{1}}{{{share}}}" if share != 1 else r"\cdot"
    return Line(rf"{number(here)} {scale} ({number(p)} - {hit})", here / share * (p - hit))


# ---------------------------------------------------------------- softmax
def _along(given: Evidence, array: np.ndarray, index: Index) -> tuple[np.ndarray, int]:
    """The elements along the op's dimension through `index`, and which of them it is."""
    d = option(given, "dim", -1) % max(1, array.ndim)
    place = tuple(slice(None) if axis == d else i for axis, i in enumerate(index))
    return array[place].astype(np.float64), index[d]


def _powers(values: np.ndarray) -> str:
    return series(len(values), lambda i: rf"e^{{{number(values[i])}}}")


def softmax(given: Evidence, index: Index) -> Line:
    x, i = _along(given, whole(given, "input"), index)
    text = rf"\frac{{e^{{{number(x[i])}}}}}{{{_powers(x)}}}"
    return Line(text, float(_softmax(x)[i]), len(x))


def log_softmax(given: Evidence, index: Index) -> Line:
    x, i = _along(given, whole(given, "input"), index)
    value = x[i] - x.max() - math.log(np.exp(x - x.max()).sum())
    return Line(rf"{number(x[i])} - \ln\left({_powers(x)}\right)", float(value), len(x))


def softmax_input(given: Evidence, index: Index) -> Line:
    if given.output is None:
        raise Unknown("the output is not there")
    y, i = _along(given, given.output, index)
    g, _ = _along(given, cotangent(given), index)
    inner = sum_of_products(g, y)
    return Line(
        rf"{factor(y[i])} \cdot \left({number(g[i])} - ({inner.latex})\right)",
        y[i] * (g[i] - inner.value),
        inner.terms,
    )


def log_softmax_input(given: Evidence, index: Index) -> Line:
    if given.output is None:
        raise Unknown("the output is not there")
    y, i = _along(given, given.output, index)
    g, _ = _along(given, cotangent(given), index)
    inner = sum_of(g)
    return Line(
        rf"{number(g[i])} - e^{{{number(y[i])}}} \cdot ({inner.latex})",
        g[i] - math.exp(y[i]) * inner.value,
        inner.terms,
    )


# ---------------------------------------------------------------- windows
@dataclass
class Windows:
    """Where the windows of a convolution or a pooling lie."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    before: tuple[int, ...]  # padding before each dimension
    dilation: tuple[int, ...]

    def seen(self, out: Index, size: Index) -> list[tuple[Index, Index]]:
        """(place in the kernel, place in the input) of what the window at `out` sees."""
        found = []
        for k in itertools.product(*map(range, self.kernel)):
            place = tuple(
                o * s + i * d - p
                for o, s, i, d, p in zip(out, self.stride, k, self.dilation, self.before)
            )
            if all(0 <= i < n for i, n in zip(place, size)):
                found.append((k, place))
        return found

    def seeing(self, place: Index, size: Index) -> list[tuple[Index, Index]]:
        """(place in the kernel, window) of the windows that see `place`, of `size` windows."""
        found = []
        for k in itertools.product(*map(range, self.kernel)):
            starts = [i + p - j * d for i, p, j, d in zip(place, self.before, k, self.dilation)]
            if any(start % s for start, s in zip(starts, self.stride)):
                continue
            out = tuple(start // s for start, s in zip(starts, self.stride))
            if all(0 <= o < n for o, n in zip(out, size)):
                found.append((k, out))
        return found


def _several(value: Any, n: int) -> tuple[int, ...]:
    given = (value,) if isinstance(value, int) else tuple(value)
    return given * n if len(given) == 1 else given


def _windows(given: Evidence, n: int) -> Windows:
    kernel = whole(given, "weight").shape[2:]
    stride = _several(option(given, "stride", 1), n)
    dilation = _several(option(given, "dilation", 1), n)
    padding = option(given, "padding", 0)
    if option(given, "groups", 1) != 1:
        raise Unknown("groups")
    if padding == "same":
        before = tuple(d * (k - 1) // 2 for k, d in zip(kernel, dilation))
    else:
        before = _several(0 if padding == "valid" else padding, n)
    return Windows(kernel, stride, before, dilation)


def convolution(n: int) -> tuple[Any, dict[str, Any]]:
    """The rules of conv1d, conv2d and conv3d; what lies in the padding is left out: it is 0."""

    def batched(array: np.ndarray, index: Index) -> tuple[np.ndarray, int, Index]:
        """With a batch of one where there is none: the array, and the index without its batch."""
        if array.ndim == n + 1:
            return array[None], 0, index
        return array, index[0], index[1:]

    def output(given: Evidence, index: Index) -> Line:
        w = whole(given, "weight")
        x, sample, (o, *place) = batched(given.arguments["input"], index)
        seen = _windows(given, n).seen(tuple(place), x.shape[2:])
        weights = [w[(o, c, *k)] for c in range(w.shape[1]) for k, _ in seen]
        pixels = [x[(sample, c, *i)] for c in range(w.shape[1]) for _, i in seen]
        bias = [given.arguments["bias"][o]] if "bias" in given.arguments else []
        return sum_of_products(np.array(weights), np.array(pixels), *bias)

    def to_input(given: Evidence, index: Index) -> Line:
        w = whole(given, "weight")
        g, sample, (c, *place) = batched(cotangent(given), index)
        seeing = _windows(given, n).seeing(tuple(place), g.shape[2:])
        weights = [w[(o, c, *k)] for o in range(w.shape[0]) for k, _ in seeing]
        back = [g[(sample, o, *i)] for o in range(w.shape[0]) for _, i in seeing]
        return sum_of_products(np.array(back), np.array(weights))

    def to_weight(given: Evidence, index: Index) -> Line:
        o, c, *k = index
        x, _, _ = batched(whole(given, "input"), (0,))
        g, _, _ = batched(cotangent(given), (0,))
        if len(x) != len(g):
            raise Unknown("only the first samples were kept")
        windows = _windows(given, n)
        back, pixels = [], []
        for out in itertools.product(*map(range, g.shape[2:])):
            place = tuple(
                i * s + j * d - p
                for i, s, j, d, p in zip(out, windows.stride, k, windows.dilation, windows.before)
            )
            if all(0 <= i < m for i, m in zip(place, x.shape[2:])):
                back.append(np.moveaxis(g[:, o], 0, -1)[out])
                pixels.append(np.moveaxis(x[:, c], 0, -1)[place])
        return sum_of_products(np.array(back), np.array(pixels))

    def to_bias(given: Evidence, index: Index) -> Line:
        x, _, _ = batched(whole(given, "input"), (0,))
        g, _, _ = batched(cotangent(given), (0,))
        if len(x) != len(g):
            raise Unknown("only the first samples were kept")
        return sum_of(g[:, index[0]])

    return output, {"input": to_input, "weight": to_weight, "bias": to_bias}


def _pooling(given: Evidence, n: int) -> Windows:
    kernel = _several(option(given, "kernel_size", 1), n)
    stride = option(given, "stride", None)
    return Windows(
        kernel,
        kernel if stride is None or stride == () else _several(stride, n),
        _several(option(given, "padding", 0), n),
        _several(option(given, "dilation", 1), n),
    )


def max_pool(n: int) -> tuple[Any, dict[str, Any]]:
    def seen(given: Evidence, x: np.ndarray, index: Index) -> tuple[list[Index], np.ndarray]:
        lead = index[: len(index) - n]
        windows = _pooling(given, n).seen(index[len(index) - n :], x.shape[-n:])
        places = [(*lead, *i) for _, i in windows]
        return places, np.array([x[place] for place in places], np.float64)

    def output(given: Evidence, index: Index) -> Line:
        _, values = seen(given, given.arguments["input"], index)
        text = series(len(values), lambda i: number(values[i]), join=r",\, ".join, most=9)
        return Line(rf"\max({text})", float(values.max()), len(values))

    def to_input(given: Evidence, index: Index) -> Line:
        x, g = given.arguments["input"], cotangent(given)
        lead = index[: len(index) - n]
        back = []
        for _, out in _pooling(given, n).seeing(index[len(index) - n :], g.shape[-n:]):
            places, values = seen(given, x, (*lead, *out))
            if places[int(values.argmax())] == index:
                back.append(g[(*lead, *out)])
        return sum_of(np.array(back))

    return output, {"input": to_input}


def avg_pool(n: int) -> tuple[Any, dict[str, Any]]:
    def windows(given: Evidence) -> Windows:
        if option(given, "divisor_override", None) or option(given, "ceil_mode", False):
            raise Unknown("another divisor")
        found = _pooling(given, n)
        if any(found.before) and not option(given, "count_include_pad", True):
            raise Unknown("windows of several sizes")
        return found

    def output(given: Evidence, index: Index) -> Line:
        x, found = given.arguments["input"], windows(given)
        lead = index[: len(index) - n]
        places = found.seen(index[len(index) - n :], x.shape[-n:])
        values = np.array([x[(*lead, *i)] for _, i in places], np.float64)
        size = math.prod(found.kernel)
        text = series(len(values), lambda i: number(values[i]))
        return Line(
            rf"\frac{{1}}{{{size}}}\left({text}\right)", float(values.sum() / size), len(values)
        )

    def to_input(given: Evidence, index: Index) -> Line:
        g, found = cotangent(given), windows(given)
        lead = index[: len(index) - n]
        seeing = found.seeing(index[len(index) - n :], g.shape[-n:])
        size = math.prod(found.kernel)
        line = sum_of(np.array([g[(*lead, *out)] for _, out in seeing]))
        return Line(
            rf"\frac{{1}}{{{size}}}\left({line.latex}\right)", line.value / size, line.terms
        )

    return output, {"input": to_input}


# ---------------------------------------------------------------- elements that only move
def _moved(given: Evidence, op: str) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of the input's elements, in the shapes of the input and of the output."""
    shape = tuple(given.shapes["input"])
    places = np.arange(math.prod(shape)).reshape(shape)
    if op == "transpose":
        return places, places.swapaxes(option(given, "dim0", 0), option(given, "dim1", 1))
    if op == "permute":
        return places, places.transpose(option(given, "dims", ()))
    out = given.output if given.output is not None else cotangent(given)
    if op == "expand":
        return places, np.broadcast_to(places, out.shape)
    return places, places.reshape(out.shape)


def moving(op: str) -> tuple[Any, dict[str, Any]]:
    def name(symbol: str, index: Iterable[int]) -> str:
        return f"{symbol}_{{{','.join(map(str, index))}}}"

    def output(given: Evidence, index: Index) -> Line:
        places, moved = _moved(given, op)
        at = tuple(int(i) for i in np.unravel_index(int(moved[index]), places.shape))
        return Line(name("x", at), float(whole(given, "input")[at]))

    def to_input(given: Evidence, index: Index) -> Line:
        places, moved = _moved(given, op)
        g = cotangent(given)
        if g.shape != moved.shape:
            raise Unknown("only the first rows were kept")
        where = np.argwhere(moved == places[index])
        text = series(len(where), lambda i: name(r"\bar y", where[i]))
        return Line(text, float(_flat(g[tuple(where.T)]).sum()), len(where))

    return output, {"input": to_input}


def embedding(given: Evidence, index: Index) -> Line:
    *place, d = index
    row = int(given.arguments["input"][tuple(place)])
    return Line(rf"W_{{{row},{d}}}", float(whole(given, "weight")[row, d]))


def embedding_weight(given: Evidence, index: Index) -> Line:
    row, d = index
    if option(given, "scale_grad_by_freq", False) or option(given, "padding_idx", None) == row:
        raise Unknown("gradients that are scaled")
    return sum_of(cotangent(given)[whole(given, "input") == row][:, d])


def layer_norm(given: Evidence, index: Index) -> Line:
    shape = tuple(option(given, "normalized_shape", ()))
    x = given.arguments["input"]
    lead = index[: len(index) - len(shape)]
    own = index[len(lead) :]
    values = x[lead].astype(np.float64)
    return _normalised(given, float(x[index]), values.mean(), values.var(), own, own)


def _normalised(
    given: Evidence, x: float, centre: float, variance: float, w: Index, b: Index
) -> Line:
    eps = option(given, "eps", 1e-5)
    text = rf"\frac{{{number(x)} - {factor(centre)}}}{{\sqrt{{{number(variance)} + \epsilon}}}}"
    value = (x - centre) / math.sqrt(variance + eps)
    if "weight" in given.arguments:
        weight = float(given.arguments["weight"][w])
        text, value = rf"{text} \cdot {factor(weight)}", value * weight
    if "bias" in given.arguments:
        bias = float(given.arguments["bias"][b])
        text, value = added([text, number(bias)]), value + bias
    return Line(text, value)


FORWARD: dict[str, Rule] = {
    "linear": linear,
    "matmul": matmul,
    "sum": total,
    "mean": mean,
    "amax": extreme("max", np.max),
    "amin": extreme("min", np.min),
    "mse_loss": mse,
    "cross_entropy": cross_entropy,
    "nll_loss": nll,
    "softmax": softmax,
    "log_softmax": log_softmax,
    "embedding": embedding,
    "layer_norm": layer_norm,
}
BACKWARD: dict[str, dict[str, Rule]] = {
    "linear": {"input": linear_input, "weight": linear_weight, "bias": linear_bias},
    "matmul": {"input": matmul_input, "other": matmul_other},
    "sum": {"input": total_input},
    "mean": {"input": mean_input},
    "mse_loss": {"input": mse_gradient(1), "target": mse_gradient(-1)},
    "cross_entropy": {"input": cross_entropy_input},
    "softmax": {"input": softmax_input},
    "log_softmax": {"input": log_softmax_input},
    "embedding": {"weight": embedding_weight},
}
for _name, _op in POINTWISE.items():
    FORWARD[_name] = _op.forward
    BACKWARD[_name] = {argument: _op.backward(argument) for argument in _op.slopes}
for _name in ("reshape", "view", "unsqueeze", "squeeze", "transpose", "permute", "expand"):
    FORWARD[_name], BACKWARD[_name] = moving(_name)
for _n in (1, 2, 3):
    FORWARD[f"conv{_n}d"], BACKWARD[f"conv{_n}d"] = convolution(_n)
    FORWARD[f"max_pool{_n}d"], BACKWARD[f"max_pool{_n}d"] = max_pool(_n)
    FORWARD[f"avg_pool{_n}d"], BACKWARD[f"avg_pool{_n}d"] = avg_pool(_n)
