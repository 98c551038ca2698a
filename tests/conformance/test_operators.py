"""Every operator that teaching code uses, on PyTorch's own samples, PyTorch being the oracle.

What differs today stands in known_gaps.txt with the reason. A listed operator that passes fails
its test: the list only shrinks. `python -m tests.conformance.test_operators` writes it anew.
"""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.oracle

harness = pytest.importorskip("tests.conformance.harness", exc_type=ImportError)

FIRST, SECOND = harness.names("tier1.txt"), harness.names("tier2.txt")


@pytest.mark.parametrize("name", [*FIRST, *SECOND])
def test_operator_is_pytorchs(name):
    found, reason = harness.problems(name), harness.known_gaps().get(name)
    if reason is None:
        assert not found, "\n".join(found)
    else:
        assert found, f"{name} passes now: take it out of known_gaps.txt"


def test_gaps_are_few():
    gaps = harness.known_gaps()
    assert not set(gaps) & set(FIRST)
    assert len(gaps) <= 0.02 * len([*FIRST, *SECOND])
    assert set(gaps) <= {*FIRST, *SECOND}


if __name__ == "__main__":
    lines = ["# Operators that differ from PyTorch's today, each with one way in which it does."]
    for each in [*FIRST, *SECOND]:
        differs = harness.problems(each)
        if differs:
            lines.append(f"{each}: {differs[0]}")
    (harness.HERE / "known_gaps.txt").write_text("\n".join(lines) + "\n")
