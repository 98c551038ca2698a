"""The tensor view without a browser."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import labtorch_widgets as lab
import numpy as np
import pytest

import labtorch as torch


def test_tensors_go_by_the_names_of_variables_and_share_strips() -> None:
    a = torch.arange(12.0).reshape(3, 4)
    b = a.T
    c = torch.ones(2)
    view = lab.tensors(a, b, {"c": c}, other=a[1, 1:])
    assert [each["name"] for each in view.frame["tensors"]] == ["a", "b", "tensor 3['c']", "other"]
    assert [memory["members"] for memory in view.frame["memories"]] == [[0, 1, 3], [2]]
    assert repr(view) == "TensorsView(a, b, tensor 3['c'], other)"


def test_the_places_are_those_of_the_elements_in_memory() -> None:
    base = torch.arange(20.0).reshape(4, 5)
    part = base[1:, ::2]
    wide = base[0, 3].expand(6)
    (memory,) = lab.tensors(base, part, wide).frame["memories"]
    assert memory["cells"] == list(range(20))
    elements = part.numpy().ravel()
    assert memory["places"][1] == [[int(v), i, 1] for i, v in sorted(enumerate(elements))]
    assert memory["places"][2] == [[3, 0, 6]]


def test_a_large_memory_is_seen_through_a_window() -> None:
    big = torch.arange(100_000.0)
    view = lab.tensors(big)
    view._on_message(view, {"command": "strip", "storage": 0, "start": 10**9}, [])
    memory = view.frame["memories"][0]
    assert (memory["stop"], len(memory["cells"])) == (100_000, 96)
    assert memory["cells"][-1] == pytest.approx(99_999, rel=1e-3)
    view._on_message(view, {"command": "window", "of": "x", "at": [], "row": 0, "column": 0}, [])
    assert len(lab.tensors(torch.ones(600, 600)).frame["memories"][0]["places"]) == 1


def test_changes_made_in_place_are_seen_when_it_is_read_again() -> None:
    a = torch.zeros(2)
    view = lab.tensors(a)
    a[1] = 7
    view.read_again()
    assert view.frame["memories"][0]["cells"] == [0, 7]
    assert view.frame["tensors"][0]["version"] == 1


def test_a_shape_that_does_not_fit_is_told_with_what_would() -> None:
    a, b = torch.zeros(2, 3), np.zeros(2)
    found = lab.broadcast(a, b).frame["broadcast"]
    assert found["names"] == ["a", "b"] and found["faults"] == [1]
    assert found["remedy"] == {"operand": 1, "dim": 1, "shape": [2, 1]}
    assert lab.broadcast((3, 1), [4]).frame["broadcast"]["result"] == [3, 4]


def test_what_is_no_tensor_is_refused() -> None:
    for wrong in (lambda: lab.tensors(3), lambda: lab.tensors(), lambda: lab.broadcast((2,), "x")):
        with pytest.raises(TypeError):
            wrong()
    with pytest.raises(ValueError):
        lab.broadcast((2,), (-1,))
    with pytest.raises(ValueError):
        lab.tensors(torch.ones(1), lang="fr")


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_still_is_a_picture(lang: str) -> None:
    name = "<b>"
    for view in (
        lab.tensors(torch.ones(2, 2), **{name: torch.ones(0)}, lang=lang),
        lab.tensors(torch.tensor(float("nan")), torch.tensor([True, False]), lang=lang),
        lab.broadcast((2, 3), (2,), lang=lang),
    ):
        assert ET.fromstring(view.still()).tag.endswith("svg")
