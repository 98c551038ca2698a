"""The stream of random numbers that a GPU draws from is array code: here NumPy runs it."""

import contextlib

import numpy as np
import pytest

import labtorch as torch
from labtorch.backend import devices
from labtorch.backend.cuda.random import Stream, _philox
from labtorch.tensor import random

ONES = (1 << 64) - 1


# the known answers that the authors of Philox publish with it (Random123, kat_vectors)
@pytest.mark.parametrize(
    "block, key, words",
    [(0, 0, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8))],
)
def test_blocks_are_those_of_philox4x32_10(block, key, words):
    found = _philox(np.array([block], np.uint64), np.array([key], np.uint64))
    assert tuple(int(each[0]) for each in found) == words


def test_a_draw_does_not_depend_on_how_it_is_cut():
    whole, parts = Stream(np, 5), Stream(np, 5)
    together = whole.words(8)
    apart = [parts.words(4), parts.words(4)]
    # a draw of eight words holds the first words of both blocks, then their second ones
    assert np.array_equal(together.reshape(4, 2).T.reshape(-1), np.concatenate(apart))


def test_a_state_goes_on_where_it_was_taken():
    stream = Stream(np, ONES)
    stream.random((3, 5))
    state = stream.state()
    first = stream.standard_normal((7,), np.float32)
    stream.set_state(*state)
    assert np.array_equal(stream.standard_normal((7,), np.float32), first)
    assert first.dtype == np.float32


def test_moments_and_bounds():
    n, stream = 200_000, Stream(np, 1)
    u = stream.random(n)
    assert 0 <= u.min() and u.max() < 1
    assert abs(u.mean() - 0.5) < 0.003 and abs(u.var() - 1 / 12) < 0.001
    z = stream.standard_normal(n, np.float32)
    assert abs(z.mean()) < 0.01 and abs(z.std() - 1) < 0.01
    assert abs((z**4).mean() - 3) < 0.1
    assert abs(stream.standard_exponential(n).mean() - 1) < 0.01
    assert abs(stream.gumbel(n).mean() - np.euler_gamma) < 0.02
    assert abs(stream.geometric(0.25, n).mean() - 4) < 0.05
    k = stream.integers(-3, 4, n)
    assert k.min() == -3 and k.max() == 3 and abs(k.mean()) < 0.02
    assert sorted(stream.permutation(100).tolist()) == list(range(100))
    neighbours = np.corrcoef(u[:-1], u[1:])[0, 1]
    assert abs(neighbours) < 0.01


@pytest.fixture
def device(monkeypatch):
    """A device "cuda" that is NumPy under another name."""
    monkeypatch.setattr(devices, "library", lambda where: np)
    monkeypatch.setattr(devices, "index", lambda where=None: 0)
    monkeypatch.setattr(devices, "entered", lambda where: contextlib.nullcontext())
    random._of_device.clear()
    yield "cuda"
    random._of_device.clear()


def test_draws_for_a_device_come_from_its_stream(device):
    torch.manual_seed(11)
    before = torch.get_rng_state()
    first = torch.rand(5, device=device)
    assert torch.equal(torch.get_rng_state(), before)  # the CPU's stream has not moved
    torch.manual_seed(11)
    assert torch.equal(torch.rand(5, device=device), first)
    assert np.array_equal(first.numpy(), Stream(np, 11).random(5, np.float32))


def test_generators_of_a_device_are_saved_in_sixteen_bytes(device):
    generator = torch.Generator(device=device).manual_seed(3)
    torch.randn(10, device=device, generator=generator)
    state = generator.get_state()
    assert state.dtype is torch.uint8 and state.numel() == 16
    following = torch.randn(4, device=device, generator=generator)
    again = torch.Generator(device=device)
    again.set_state(state)
    assert again.initial_seed() == 3
    assert torch.equal(torch.randn(4, device=device, generator=again), following)
    with pytest.raises(RuntimeError, match="16 bytes"):
        again.set_state(state[:8])


def test_a_generator_draws_on_its_own_device_only(device):
    with pytest.raises(RuntimeError, match="Expected a 'cuda' device type for generator"):
        torch.rand(3, device=device, generator=torch.Generator())
    with pytest.raises(RuntimeError, match="Expected a 'cpu' device type for generator"):
        torch.rand(3, generator=torch.Generator(device=device))


def test_forked_streams_go_on_where_they_were(device):
    torch.rand(2, device=device)
    with torch.random.fork_rng():
        inside = torch.rand(3, device=device)
    assert torch.equal(torch.rand(3, device=device), inside)


@pytest.mark.gpu
def test_a_gpu_draws_the_same_words():
    import cupy

    words = Stream(cupy, 42).words(1000).get()
    assert np.array_equal(words, Stream(np, 42).words(1000))
    torch.cuda.manual_seed(42)
    drawn = torch.randn(1000, device="cuda")
    assert drawn.is_cuda
    wanted = Stream(np, 42).standard_normal(1000, np.float32)
    np.testing.assert_allclose(drawn.cpu().numpy(), wanted, rtol=1e-4, atol=1e-5)
