"""Batches on their way to a GPU."""

from __future__ import annotations

import pytest

import labtorch as torch
from labtorch.backend.cuda import transfers
from labtorch.data import DataLoader, TensorDataset

pytestmark = pytest.mark.gpu


def test_pinned_batches_arrive_whole_without_waiting():
    x = torch.arange(4000).reshape(1000, 4)
    loader = DataLoader(TensorDataset(x), batch_size=100, pin_memory=True)
    arrived = []
    for (batch,) in loader:
        assert batch.is_pinned()
        arrived.append(batch.to("cuda", non_blocking=True))
    assert torch.equal(torch.cat(arrived).cpu(), x)
    torch.cuda.synchronize()
    assert all(event.done for event, _ in transfers._held)


def test_work_of_two_streams_is_ordered_by_an_event():
    a, b = torch.cuda.Stream(), torch.cuda.Stream()
    with torch.cuda.stream(a):
        x = torch.ones(1 << 20, device="cuda")
        for _ in range(20):
            x = x * 1.5
        done = a.record_event()
    with torch.cuda.stream(b):
        done.wait(b)
        total = x.sum()
    b.synchronize()
    assert total.item() == pytest.approx(1.5**20 * (1 << 20), rel=1e-3)


def test_draws_are_the_same_in_every_run_and_go_on_from_a_saved_state():
    torch.cuda.manual_seed(3)
    first = torch.randn(1000, device="cuda")
    state = torch.cuda.get_rng_state()
    second = torch.rand(10, device="cuda")
    torch.cuda.manual_seed(3)
    assert torch.equal(torch.randn(1000, device="cuda"), first)
    torch.cuda.set_rng_state(state)
    assert torch.equal(torch.rand(10, device="cuda"), second)
