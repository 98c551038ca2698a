"""Sums of products of tensors, written with index letters."""

from __future__ import annotations

from typing import Any

from labtorch.backend.arrays import namespace
from labtorch.engine.op import op
from labtorch.engine.public import FUNCTION, public
from labtorch.ops.arithmetic import conj
from labtorch.ops.shape import diagonal, expand, permute, sum_to

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


@op(r"y_{\mathrm{out}} = \sum \prod_k x^{(k)}_{\mathrm{in}_k}", name="einsum")
def contraction(equation, *operands):
    """No letter twice in one operand, no ellipsis, and an explicit output."""
    return namespace(operands[0]).einsum(equation, *operands, optimize=len(operands) > 1)


@contraction.vjps(formula=r"\bar x^{(k)} = \sum \bar y \prod_{l \ne k} x^{(l)}")
def _(g, equation, operands, operands_shape, needs):
    inputs, output = equation.split("->")
    terms = inputs.split(",")
    gradients: list[Any] = [None]
    for k, (term, shape) in enumerate(zip(terms, operands_shape)):
        if k + 1 >= len(needs) or not needs[k + 1]:
            gradients.append(None)
            continue
        others = [(t, conj(x)) for i, (t, x) in enumerate(zip(terms, operands)) if i != k]
        known = set(output).union(*(t for t, _ in others))
        kept = "".join(letter for letter in term if letter in known)
        sources = ",".join([output, *(t for t, _ in others)])
        part = contraction(f"{sources}->{kept}", g, *(x for _, x in others))
        if kept != term:  # a letter that was summed alone: the same gradient at all its places
            lost = tuple(n for letter, n in zip(term, shape) if letter not in known)
            part = expand(part.reshape(part.shape + (1,) * len(lost)), part.shape + lost)
            have = kept + "".join(letter for letter in term if letter not in known)
            part = permute(part, tuple(have.index(letter) for letter in term))
        gradients.append(part if part.shape == shape else sum_to(part, shape))
    return gradients


@public(FUNCTION)
def einsum(equation: str, *operands: Any) -> Any:
    """The sum over all letters that the output does not name, of the product of the operands.

    Spaces are ignored, "..." stands for dimensions that broadcast, a letter twice in one operand
    takes its diagonal, and without "->" the output has the letters that appear once, in order.

    >>> import labtorch
    >>> einsum("ij,jk->ik", labtorch.eye(2), labtorch.ones(2, 1))
    tensor([[1.],
            [1.]])
    """
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = tuple(operands[0])
    if not operands:
        raise ValueError("einsum(): must provide at least one operand")
    inputs, arrow, output = equation.replace(" ", "").partition("->")
    terms = inputs.split(",")
    if len(terms) != len(operands):
        fewer = "more" if len(terms) < len(operands) else "fewer"
        raise RuntimeError(
            f"einsum(): {fewer} operands were provided than specified in the equation"
        )
    spread = _dots(terms, operands)
    if not arrow:
        letters = [each for term in terms for each in term if each.isalpha()]
        once = sorted(each for each in set(letters) if letters.count(each) == 1)
        output = ("..." if any("..." in term for term in terms) else "") + "".join(once)
    most = max(len(each) for each in spread)
    dots = max(spread, key=len)
    terms = [t.replace("...", d) for t, d in zip(terms, spread)]
    output = output.replace("...", dots if most else "")
    _check(terms, output, operands)
    plain = [_unrepeated(term, x) for term, x in zip(terms, operands)]
    return contraction(",".join(t for t, _ in plain) + "->" + output, *(x for _, x in plain))


def _dots(terms: list[str], operands: tuple) -> list[str]:
    """The letters that "..." stands for in each term: broadcasting counts from the right."""
    used = set("".join(terms))
    spare = [letter for letter in LETTERS if letter not in used]
    found = []
    for at, (term, x) in enumerate(zip(terms, operands)):
        named = len(term.replace("...", ""))
        if "..." not in term and named != x.ndim or named > x.ndim:
            raise RuntimeError(
                f"einsum(): the number of subscripts in the equation ({named}) does not match the "
                f"number of dimensions ({x.ndim}) for operand {at}"
                + ("" if "..." in term else " and no ellipsis was given")
            )
        n = x.ndim - named
        found.append("".join(spare[:n][::-1]) if "..." in term else "")
    return found


def _check(terms: list[str], output: str, operands: tuple) -> None:
    for character in "".join(terms) + output:
        if character not in LETTERS:
            raise RuntimeError(f"einsum(): invalid subscript given: {character!r}")
    for letter in output:
        if output.count(letter) > 1:
            raise RuntimeError(f"einsum(): output subscript {letter} appears more than once")
        if not any(letter in term for term in terms):
            raise RuntimeError(
                f"einsum(): output subscript {letter} does not appear in the equation for any input"
            )
    sizes: dict[str, int] = {}
    for term, x in zip(terms, operands):
        for letter, n in zip(term, x.shape):
            known = sizes.setdefault(letter, n)
            if n != known and 1 not in (n, known):
                raise RuntimeError(
                    f"einsum(): operands do not broadcast: {letter} is {known} and {n}"
                )
            sizes[letter] = n if known == 1 else known


def _unrepeated(term: str, x: Any) -> tuple[str, Any]:
    """An operand with the diagonal taken wherever a letter stands twice."""
    for letter in term:
        while term.count(letter) > 1:
            first = term.index(letter)
            second = term.index(letter, first + 1)
            if x.shape[first] != x.shape[second]:
                raise RuntimeError(
                    f"einsum(): subscript {letter} is repeated for an operand, but the sizes don't "
                    f"match: {x.shape[first]} and {x.shape[second]}"
                )
            x = diagonal(x, 0, first, second)
            term = term[:first] + term[first + 1 : second] + term[second + 1 :] + letter
    return term, x
