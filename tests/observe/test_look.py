"""Tensors as they lie in memory, and shapes as they are broadcast."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import labtorch as torch
from labtorch.observe.look import broadcast, look, memory, tensors, values


def test_strides_and_offset_lead_to_the_element_in_memory():
    base = torch.arange(24.0).reshape(2, 3, 4)
    views = [base, base.transpose(0, 2), base[1, :, 1:3], base[0, 0].expand(3, 4), base[:, ::2]]
    for tensor, seen in zip(views, look([("", t) for t in views])):
        cells = memory(tensor, 0, seen["storage_size"])
        assert seen["storage"] == 0 and seen["storage_size"] == 24
        for index in np.ndindex(tuple(seen["shape"])):
            at = seen["offset"] + sum(i * s for i, s in zip(index, seen["strides"]))
            assert cells[at] == values(tensor)[index]


def test_who_shares_memory_has_the_same_storage():
    a = torch.zeros(2, 3, requires_grad=True)
    b, c = a.detach().T, a.clone()
    seen = look([("a", a), ("b", b), ("c", c)])
    assert [each["storage"] for each in seen] == [0, 0, 1]
    assert [each["contiguous"] for each in seen] == [True, False, True]
    assert [each["is_leaf"] for each in seen] == [True, True, False]
    assert seen[2]["made_by"] == "clone" and seen[0]["requires_grad"]
    b.add_(1)
    assert look([("a", a)])[0]["version"] == 1


@dataclass
class Batch:
    x: object
    rest: dict


def test_tensors_are_found_in_containers_by_their_paths():
    batch = Batch(torch.ones(2), {"y": [torch.ones(1), "no tensor"], 3: torch.ones(3)})
    assert [name for name, _ in tensors(batch, "batch")] == [
        "batch.x", "batch.rest['y'][0]", "batch.rest[3]",
    ]  # fmt: skip
    assert tensors("nothing") == []
    loop: list = []
    loop.append(loop)
    assert tensors(loop) == []


shapes = st.lists(st.lists(st.sampled_from([0, 1, 2, 3]), max_size=4), min_size=1, max_size=3)


@given(shapes)
def test_broadcasting_agrees_with_numpy(given_shapes):
    found = broadcast(*given_shapes)
    try:
        expected = list(np.broadcast_shapes(*map(tuple, given_shapes)))
    except ValueError:
        assert not found["fits"] and found["faults"]
    else:
        assert found["fits"] and found["result"] == expected


def test_which_axes_are_stretched_and_which_do_not_fit():
    found = broadcast((3, 1), (4,))
    assert found["shapes"][0]["stretched"] == [False, True]
    assert found["shapes"][1]["stretched"] == [True, False]
    bad = broadcast((2, 3), (2,))
    assert bad["faults"] == [1] and bad["result"] == [2, None]
    assert bad["remedy"] == {"operand": 1, "dim": 1, "shape": [2, 1]}
    assert broadcast((2, 3), (4, 5))["remedy"] is None
    with pytest.raises(TypeError):
        broadcast(5)
