"""An interrupted training that goes on in another process is the uninterrupted one, bitwise."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import labtorch
from labtorch import nn, observe, optim
from labtorch.data import DataLoader, Dataset, IterableDataset, TensorDataset

EPOCHS, BATCHES = 3, 5
ROOT = Path(__file__).parents[2]


class Noisy(Dataset):
    """Samples with noise from every stream that programs draw it from."""

    def __len__(self):
        return BATCHES * 4 - 1

    def __getitem__(self, i):
        noise = random.random() + np.random.rand() + labtorch.rand(()).item()
        image = labtorch.linspace(-1, 1, 36).reshape(1, 6, 6) * (i + 1) + 0.1 * noise
        return image, i % 3


class Training:
    """A small CNN with all that has a state: dropout, running means, a schedule, a shuffle."""

    def __init__(self, workers: int, own_generator: bool, schedule: str) -> None:
        labtorch.manual_seed(3), random.seed(4), np.random.seed(5)
        self.model = nn.Sequential(
            nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Dropout(0.3), nn.Flatten(),
            nn.Linear(48, 3),
        )  # fmt: skip
        self.optimizer = optim.AdamW(self.model.parameters(), lr=0.01, amsgrad=True)
        self.schedule = getattr(optim.lr_scheduler, schedule)(self.optimizer, 2)
        self.scaler = labtorch.amp.GradScaler("cpu")
        generator = labtorch.Generator().manual_seed(8) if own_generator else None
        self.loader = DataLoader(
            Noisy(), batch_size=4, shuffle=True, num_workers=workers, generator=generator
        )
        self.losses: list[float] = []
        self.epoch = 0

    def run(self, steps: int | None = None) -> None:
        """To the end, or for so many steps."""
        while self.epoch < EPOCHS:
            for x, y in self.loader:
                self.optimizer.zero_grad()
                loss = nn.functional.cross_entropy(self.model(x), y)
                loss.backward()
                self.optimizer.step()
                self.schedule.step()
                self.losses.append(loss.item())
                if steps is not None and len(self.losses) == steps:
                    return
            self.epoch += 1

    def parts(self):
        return {
            "model": self.model,
            "optimizer": self.optimizer,
            "schedule": self.schedule,
            "scaler": self.scaler,
            "loader": self.loader,
        }

    def state(self) -> dict:
        kind, keys, *rest = np.random.get_state()
        return {
            **{name: part.state_dict() for name, part in self.parts().items()},
            "losses": self.losses,
            "epoch": self.epoch,
            "rng": labtorch.get_rng_state(),
            "python": random.getstate(),
            "numpy": (kind, labtorch.from_numpy(keys.astype("int64")), *rest),
        }

    def load(self, state: dict) -> None:
        for name, part in self.parts().items():
            part.load_state_dict(state[name])
        self.losses, self.epoch = state["losses"], state["epoch"]
        labtorch.set_rng_state(state["rng"])
        random.setstate(state["python"])
        kind, keys, *rest = state["numpy"]
        np.random.set_state((kind, keys.numpy().astype("uint32"), *rest))


def same(a, b) -> bool:
    """Are two states equal to the last bit?"""
    if isinstance(a, labtorch.Tensor):
        return a.dtype is b.dtype and a.numpy().tobytes() == b.numpy().tobytes()
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def go_on(path: str, *options) -> None:
    """What the other process does: load, train to the end, save."""
    training = Training(*options)
    training.load(labtorch.load(path))
    training.run()
    labtorch.save(training.state(), path)


@pytest.mark.parametrize(
    ("options", "stops"),
    [
        ((0, False, "StepLR"), (1, 7, BATCHES, 14)),
        ((0, True, "CosineAnnealingLR"), (8,)),
        ((2, False, "CosineAnnealingWarmRestarts"), (3, 8)),
        ((3, True, "StepLR"), (9,)),
    ],
)
def test_a_resumed_run_is_the_uninterrupted_one(tmp_path, options, stops):
    whole = Training(*options)
    whole.run()
    expected = whole.state()
    paths = []
    for stop in stops:
        part = Training(*options)
        part.run(stop)
        paths.append(str(tmp_path / f"{stop}.ckpt"))
        labtorch.save(part.state(), paths[-1])
    program = (
        "from tests.io.test_resuming import go_on\n"
        f"for path in {paths!r}: go_on(path, *{options!r})"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)
    for path in paths:
        found = labtorch.load(path)
        for name in expected:
            assert same(found[name], expected[name]), f"{name} after {path}"


def test_it_is_the_same_when_it_is_watched(tmp_path):
    whole, options = Training(0, False, "StepLR"), (0, False, "StepLR")
    whole.run()
    part = Training(*options)
    with observe.record():
        part.run(6)
    labtorch.save(part.state(), tmp_path / "run.pth")
    other = Training(*options)
    with observe.record():
        other.load(labtorch.load(tmp_path / "run.pth"))
        other.run()
    assert same(other.state(), whole.state())


class Stream(IterableDataset):
    def __iter__(self):
        return iter(range(10))


@pytest.mark.parametrize("workers", [0, 2])
def test_a_stream_is_read_anew_up_to_its_place(workers):
    loader = DataLoader(Stream(), batch_size=3, num_workers=workers)
    whole = [batch.tolist() for batch in loader]
    for stop in range(1, len(whole)):
        batches = iter(loader)
        had = [next(batches).tolist() for _ in range(stop)]
        state = loader.state_dict()
        del batches
        other = DataLoader(Stream(), batch_size=3, num_workers=workers)
        other.load_state_dict(state)
        assert had + [batch.tolist() for batch in other] == whole
        assert [batch.tolist() for batch in other] == whole, "the next epoch is a whole one"


def test_a_finished_epoch_is_followed_by_a_whole_one():
    loader = DataLoader(TensorDataset(labtorch.arange(6)), batch_size=2, shuffle=True)
    assert len([*loader]) == 3
    other = DataLoader(TensorDataset(labtorch.arange(6)), batch_size=2, shuffle=True)
    other.load_state_dict(loader.state_dict())
    assert len([*other]) == 3


@pytest.mark.parametrize(
    "change",
    [
        lambda s: {},
        lambda s: None,
        lambda s: s | {"batches": -1},
        lambda s: s | {"batches": 1, "begun": []},
        lambda s: s | {"begun": [labtorch.zeros(3)]},
        lambda s: s | {"begun": [labtorch.zeros(66, dtype=labtorch.uint8)]},
        lambda s: s | {"generators": [s["begun"][0]]},
        lambda s: s | {"workers": {0: ((3, (1,), None), ("MT19937", [0] * 624, 10**6, 0, 0.0), 0)}},
    ],
)
def test_what_is_no_position_is_refused_and_nothing_moves(change):
    loader = DataLoader(TensorDataset(labtorch.arange(6)), batch_size=2, shuffle=True)
    batches = iter(loader)
    next(batches)
    before, streams = loader.state_dict(), labtorch.get_rng_state()
    with pytest.raises((ValueError, TypeError, RuntimeError)):
        loader.load_state_dict(change(dict(before)))
    assert same(loader.state_dict(), before) and same(labtorch.get_rng_state(), streams)


def test_a_random_state_runs_nothing_and_is_checked():
    import pickle

    state = labtorch.get_rng_state()
    hostile = labtorch.tensor([*pickle.dumps(print)], dtype=labtorch.uint8)
    for wrong in (hostile, state[:-1], state * 0, state.float(), b"bytes"):
        with pytest.raises((RuntimeError, TypeError), match="RNG state"):
            labtorch.set_rng_state(wrong)
        assert same(labtorch.get_rng_state(), state)
    drawn = labtorch.rand(3)
    labtorch.set_rng_state(state)
    assert same(labtorch.rand(3), drawn)
