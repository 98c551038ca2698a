"""Streams, pinned memory and captured graphs: what is asked of CuPy, and in which order."""

from __future__ import annotations

import inspect
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import labtorch as torch
from labtorch import observe
from labtorch.backend import devices
from labtorch.backend.cuda import transfers
from labtorch.cuda import graphs
from labtorch.data import DataLoader, TensorDataset
from labtorch.data.collate import pin_memory
from tests.backend.cuda_calls import Fake


@pytest.fixture
def fake(monkeypatch):
    made = Fake()
    monkeypatch.setitem(sys.modules, "cupy", made)
    monkeypatch.setitem(sys.modules, "cupyx", SimpleNamespace(empty_pinned=made.empty_pinned))
    monkeypatch.setattr(graphs.graph, "default_capture_stream", None)
    transfers._held.clear()
    yield made
    transfers._held.clear()


def test_a_stream_waits_for_what_is_queued_on_another(fake):
    a, b = torch.cuda.Stream(), torch.cuda.Stream()
    a.wait_stream(b)
    with torch.cuda.stream(b):
        assert torch.cuda.current_stream() == b
        event = a.record_event()
    assert torch.cuda.current_stream() == torch.cuda.default_stream() != b
    event.wait(b)
    assert fake.calls == [
        f"record on {b._stream}",
        f"{a._stream} waits",
        f"record on {a._stream}",
        f"{b._stream} waits",
    ]
    with torch.cuda.stream(None):
        assert torch.cuda.current_stream() == torch.cuda.default_stream()


def test_a_copy_that_does_not_wait_goes_through_pinned_memory_and_holds_it(fake):
    there = devices.move(np.arange(6.0).reshape(2, 3), torch.device("cuda"), non_blocking=True)
    assert np.array_equal(there, np.arange(6.0).reshape(2, 3))
    assert fake.calls == ["copy 48 bytes on null", "record on null"]
    ((event, source),) = transfers._held
    assert transfers.is_pinned(source)
    event.done = True
    devices.move(source, torch.device("cuda"), non_blocking=True)
    ((_, again),) = transfers._held  # the one before has passed, and was let go
    assert again is source  # pinned already: copied from where it lies
    devices.move(np.asfortranarray(np.ones((2, 3))), torch.device("cuda"), non_blocking=True)
    assert transfers._held[0][1].flags.c_contiguous


def test_tensors_are_pinned_once(fake):
    x = torch.arange(4)
    pinned = x.pin_memory()
    assert not x.is_pinned() and pinned.is_pinned() and torch.equal(x, pinned)
    assert pinned.pin_memory() is pinned and pinned[1:].is_pinned()


def test_a_loader_pins_its_batches(fake):
    data = TensorDataset(torch.arange(6).reshape(3, 2), torch.arange(3))
    for x, y in DataLoader(data, batch_size=2, pin_memory=True):
        assert x.is_pinned() and y.is_pinned()
    nested = pin_memory({"a": (torch.ones(2), "text"), "b": [torch.zeros(1)]})
    assert nested["a"][0].is_pinned() and nested["a"][1] == "text" and nested["b"][0].is_pinned()


@pytest.mark.skipif(devices.cuda_is_available(), reason="there is a GPU")
def test_without_a_gpu_a_loader_says_that_it_cannot_pin():
    loader = DataLoader(TensorDataset(torch.arange(3)), pin_memory=True)
    with pytest.warns(UserWarning, match="no accelerator is found"):
        (x,) = next(iter(loader))
    assert not x.is_pinned() and x.pin_memory() is x


def test_a_capture_works_in_memory_of_its_own_on_a_side_stream(fake):
    g = torch.cuda.CUDAGraph()
    with torch.cuda.graph(g):
        assert torch.cuda.is_current_stream_capturing()
        assert torch.cuda.current_stream() == torch.cuda.graph.default_capture_stream
    assert not torch.cuda.is_current_stream_capturing()
    g.replay()
    side = torch.cuda.graph.default_capture_stream._stream
    assert fake.calls == [
        "synchronize",
        "free blocks",
        f"capture on {side}, mode 2, own pool",
        "captured",
        "launch",
    ]
    assert fake.allocator == "shared pool" and fake.current.name == "null"
    other = torch.cuda.CUDAGraph()
    with torch.cuda.graph(other, pool=g.pool()):
        pass
    assert other.pool() is g.pool()
    g.reset()
    with pytest.raises(RuntimeError, match="without a preceding successful capture"):
        g.replay()


def test_what_a_capture_copies_from_stays(fake):
    g = torch.cuda.CUDAGraph()
    with torch.cuda.graph(g):
        devices.move(np.ones(2), torch.device("cuda"), non_blocking=True)
    assert not any(call.startswith("record") for call in fake.calls)
    assert len(transfers._held) == 1


def test_a_broken_capture_says_why_and_leaves_all_as_it_was(fake):
    g = torch.cuda.CUDAGraph()
    fake.broken = True
    with pytest.raises(RuntimeError, match="something in it waited for the GPU"):
        with torch.cuda.graph(g):
            pass
    with pytest.raises(ZeroDivisionError):  # the block's own error says more
        with torch.cuda.graph(g):
            1 / 0
    assert fake.allocator == "shared pool" and fake.current.name == "null"
    with pytest.raises(RuntimeError, match="without a preceding"):
        g.replay()


def test_a_watched_thread_is_refused(fake):
    with observe.record():
        with pytest.raises(RuntimeError, match="outside of observe.record"):
            with torch.cuda.graph(torch.cuda.CUDAGraph()):
                pass
    assert fake.current.name == "null" and "captured" not in fake.calls


def test_properties(fake):
    found = torch.cuda.get_device_properties()
    assert (found.name, found.major, found.total_memory) == ("a GPU", 9, 1 << 30)


def test_out_of_memory_has_pytorchs_type():
    from labtorch.engine import errors
    from labtorch.ops.arithmetic import add

    class Full(MemoryError):
        """As CuPy's."""

    error = errors.explain(add, (), [], Full("Out of memory allocating 1,024 bytes"))
    assert isinstance(error, torch.cuda.OutOfMemoryError) and isinstance(error, RuntimeError)
    assert "CUDA out of memory. Out of memory allocating 1,024 bytes" in str(error)


def test_the_real_cupy_has_what_the_fake_has():
    cupy = pytest.importorskip("cupy")
    import cupyx

    fake = Fake()
    for name in vars(fake.cuda):
        assert hasattr(cupy.cuda, name), name
    for name in ("Stream", "Event", "MemoryPool", "Device"):
        for method in vars(getattr(fake.cuda, name)):
            if not method.startswith("__") and method not in ("count", "null"):
                assert hasattr(getattr(cupy.cuda, name), method), (name, method)
    assert hasattr(cupy.cuda.Stream, "null") and hasattr(cupy.cuda.Graph, "launch")
    assert set(inspect.signature(cupyx.empty_pinned).parameters) >= {"shape", "dtype"}
    for name in vars(fake.cuda.runtime):
        assert hasattr(cupy.cuda.runtime, name), name


@pytest.mark.gpu
def test_a_captured_step_trains_as_an_eager_one():
    from labtorch import nn, optim

    def training():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 2)).cuda()
        optimizer = optim.Adam(model.parameters(), lr=0.01, capturable=True)
        x, y = torch.randn(32, 8, device="cuda"), torch.randint(0, 2, (32,), device="cuda")

        def step():
            optimizer.zero_grad(set_to_none=True)
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

        return step

    eager = training()
    wanted = [eager().item() for _ in range(10)]
    step = training()
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        found = [step().item() for _ in range(3)]
    torch.cuda.current_stream().wait_stream(side)
    g = torch.cuda.CUDAGraph()
    with torch.cuda.graph(g):
        loss = step()
    for _ in range(7):
        g.replay()
        found.append(loss.item())
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


@pytest.mark.gpu
def test_pinned_copies_arrive():
    x = torch.arange(1 << 20).pin_memory()
    assert x.is_pinned()
    there = x.to("cuda", non_blocking=True)
    torch.cuda.synchronize()
    assert torch.equal(there.cpu(), x)
