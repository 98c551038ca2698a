"""A seed fixes every draw; generators have streams of their own; states can be put back."""

from __future__ import annotations

import numpy as np
import pytest

import labtorch as torch

DRAWS = {
    "rand": lambda g: torch.rand(5, generator=g),
    "randn": lambda g: torch.randn(5, generator=g),
    "randint": lambda g: torch.randint(0, 100, (5,), generator=g),
    "randperm": lambda g: torch.randperm(9, generator=g),
    "normal": lambda g: torch.normal(torch.zeros(5), torch.ones(5), generator=g),
    "bernoulli": lambda g: torch.bernoulli(torch.full((20,), 0.5), generator=g),
    "multinomial": lambda g: torch.multinomial(torch.ones(9), 5, generator=g),
    "uniform_": lambda g: torch.empty(5).uniform_(generator=g),
    "normal_": lambda g: torch.empty(5).normal_(generator=g),
}


@pytest.mark.parametrize("name", DRAWS)
def test_the_same_seed_draws_the_same(name):
    draw = DRAWS[name]
    runs = []
    for _ in range(2):
        torch.manual_seed(5)
        runs.append([draw(None).tolist() for _ in range(3)])
    assert runs[0] == runs[1] and runs[0][0] != runs[0][1]
    torch.manual_seed(6)
    assert draw(None).tolist() != runs[0][0]


@pytest.mark.parametrize("name", DRAWS)
def test_a_generator_has_a_stream_of_its_own(name):
    own = torch.Generator().manual_seed(5)
    first = DRAWS[name](own).tolist()
    torch.manual_seed(1)
    torch.rand(3)
    assert DRAWS[name](torch.Generator().manual_seed(5)).tolist() == first


def test_a_state_can_be_put_back():
    torch.manual_seed(3)
    state = torch.get_rng_state()
    first = torch.rand(4)
    torch.set_rng_state(state)
    assert torch.rand(4).tolist() == first.tolist()


def test_seeds_are_told():
    torch.manual_seed(42)
    assert torch.initial_seed() == 42
    assert torch.Generator().manual_seed(7).initial_seed() == 7
    assert torch.seed() == torch.initial_seed() != 42


def test_a_training_run_repeats_bit_by_bit():
    def run():
        torch.manual_seed(0)
        x, w = torch.randn(50, 8), torch.randn(8, 3, requires_grad=True)
        y = torch.randint(0, 3, (50,))
        for _ in range(20):
            torch.nn.functional.cross_entropy((x @ w).tanh(), y).backward()
            with torch.no_grad():
                w -= w.grad
            w.grad = None
        return w.detach().numpy()

    np.testing.assert_array_equal(run(), run())


def test_draws_have_the_moments_they_should():
    torch.manual_seed(0)
    n = torch.randn(100_000)
    u = torch.rand(100_000)
    assert abs(n.mean().item()) < 0.02 and abs(n.std().item() - 1) < 0.02
    assert abs(u.mean().item() - 0.5) < 0.01 and 0 <= u.min().item() and u.max().item() < 1
