"""A watcher may ask that writes which no gradient flows through are op calls, too."""

from __future__ import annotations

import pytest

import labtorch as torch
from labtorch import observe


class Writes(observe.Watcher):
    def __init__(self, follows):
        self.follows_writes, self.heard = follows, []

    def op_ended(self, call, outputs):
        self.heard.append(call.op.name)

    def mutated(self, tensor):
        self.heard.append("mutated")


WRITES = {
    "setitem": lambda x: x.__setitem__(slice(0, 2), 5),
    "fill": lambda x: x.fill_(3),
    "copy": lambda x: x.copy_(torch.arange(4)),
    "mask": lambda x: x.__setitem__(x > 1, 0),
}


@pytest.mark.parametrize("name", WRITES)
def test_the_op_that_computed_it_is_announced_before_the_write(name):
    plain, x = torch.arange(4), torch.arange(4)
    WRITES[name](plain)
    watcher = Writes(True)
    with observe.watch(watcher):
        WRITES[name](x)
    assert watcher.heard[-2:] == ["fill" if name == "fill" else "setitem", "mutated"]
    assert x.tolist() == plain.tolist() and x._version == plain._version


def test_others_hear_of_no_op():
    watcher = Writes(False)
    with observe.watch(watcher):
        torch.zeros(4)[1] = 2
    assert watcher.heard == ["mutated"]
