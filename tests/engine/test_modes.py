"""Grad modes: blocks, decorators, generators; each belongs to the thread that entered it."""

from __future__ import annotations

import threading

import pytest

import labtorch as torch


@pytest.fixture
def x() -> torch.Tensor:
    return torch.ones(2, requires_grad=True)


def test_no_grad_records_nothing(x):
    with torch.no_grad():
        y = x * 2
    assert not y.requires_grad and y.grad_fn is None and y.is_leaf
    assert (x * 2).requires_grad


def test_modes_nest(x):
    with torch.no_grad():
        with torch.enable_grad():
            assert (x * 2).requires_grad
            with torch.no_grad():
                assert not (x * 2).requires_grad
            assert (x * 2).requires_grad
        assert not (x * 2).requires_grad
    assert torch.is_grad_enabled()


def test_one_mode_object_can_be_entered_twice():
    mode = torch.no_grad()
    with mode:
        with mode:
            pass
        assert not torch.is_grad_enabled()
    assert torch.is_grad_enabled()


def test_the_mode_is_restored_after_an_exception():
    with pytest.raises(KeyError), torch.no_grad():
        raise KeyError
    assert torch.is_grad_enabled()


def test_set_grad_enabled_as_a_function_and_as_a_block(x):
    torch.set_grad_enabled(False)
    try:
        assert not (x * 2).requires_grad
    finally:
        torch.set_grad_enabled(True)
    with torch.set_grad_enabled(False):
        assert not (x * 2).requires_grad
    assert (x * 2).requires_grad


def test_inference_mode(x):
    with torch.inference_mode():
        assert not (x * 2).requires_grad
    with torch.inference_mode(False):
        assert (x * 2).requires_grad


@pytest.mark.parametrize(
    "make",
    [
        torch.no_grad,
        lambda: torch.no_grad,
        torch.inference_mode,
        lambda: torch.set_grad_enabled(False),  # sets the mode at once, and takes it back
    ],
)
def test_as_decorators(x, make):
    @make()
    def double(t):
        "doubles"
        return t * 2

    assert torch.is_grad_enabled()
    assert not double(x).requires_grad
    assert (double.__name__, double.__doc__) == ("double", "doubles")
    assert torch.is_grad_enabled()


def test_a_decorated_generator_holds_its_mode_only_while_it_runs(x):
    @torch.no_grad()
    def batches():
        for _ in range(2):
            yield (x * 2).requires_grad

    for recorded in batches():
        assert not recorded and (x * 2).requires_grad


def test_a_decorated_recursive_function(x):
    @torch.no_grad()
    def down(n):
        return (x * n).requires_grad or (n > 0 and down(n - 1))

    assert not down(3)
    assert torch.is_grad_enabled()


def test_a_thread_in_no_grad_does_not_affect_another(x):
    inside, done = threading.Event(), threading.Event()
    seen = []

    def work():
        seen.append(torch.is_grad_enabled())
        with torch.no_grad():
            inside.set()
            done.wait(5)
            seen.append((x * 2).requires_grad)

    thread = threading.Thread(target=work)
    with torch.no_grad():  # nor does a new thread start in the mode of the one that made it
        thread.start()
        inside.wait(5)
    assert torch.is_grad_enabled() and (x * 2).requires_grad
    done.set()
    thread.join()
    assert seen == [True, False]


def test_threads_train_side_by_side():
    losses = {}

    def train(name, seed):
        start = torch.randn(4, generator=torch.Generator().manual_seed(seed))
        w = start.clone().requires_grad_()
        for _ in range(100):
            (w * w).sum().backward()
            with torch.no_grad():
                w.sub_(0.1 * w.grad)
            w.grad = None
        losses[name] = (w * w).sum().item()

    threads = [threading.Thread(target=train, args=(i, 3)) for i in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    train("alone", 3)
    assert len(set(losses.values())) == 1


def test_detach_shares_memory_outside_the_graph(x):
    y = x.detach()
    assert not y.requires_grad and y.is_leaf
    y[0] = 5
    assert x.tolist() == [5.0, 1.0]


def test_only_floating_tensors_can_require_gradients():
    with pytest.raises(RuntimeError, match="only Tensors of floating point"):
        torch.tensor([1, 2]).requires_grad_()
    with pytest.raises(RuntimeError, match="only Tensors of floating point"):
        torch.ones(2, dtype=torch.int64, requires_grad=True)


def test_requires_grad_of_a_computed_tensor_cannot_be_switched_off(x):
    with pytest.raises(RuntimeError, match="only change requires_grad flags of leaf"):
        (x * 2).requires_grad = False
