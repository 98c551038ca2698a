"""Learning-rate schedules against PyTorch."""

from __future__ import annotations

import warnings

import pytest

import labtorch
from labtorch import nn, optim
from tests.oracle import same, same_error

pytestmark = pytest.mark.oracle


def rates(t, build, steps=20, metric=None):
    p = t.nn.Parameter(t.ones(1))
    optimizer = t.optim.SGD([{"params": [p]}], lr=0.1)
    scheduler = build(t.optim.lr_scheduler, optimizer)
    seen = []
    for step in range(steps):
        optimizer.step()
        scheduler.step(*([] if metric is None else [metric(step)]))
        seen += [float(optimizer.param_groups[0]["lr"]), *map(float, scheduler.get_last_lr())]
    return seen


@pytest.mark.parametrize(
    "build",
    [
        lambda s, o: s.StepLR(o, 3, 0.5),
        lambda s, o: s.MultiStepLR(o, [2, 5, 5, 11], 0.3),
        lambda s, o: s.ExponentialLR(o, 0.9),
        lambda s, o: s.CosineAnnealingLR(o, 8, 0.01),
        lambda s, o: s.LambdaLR(o, lambda epoch: 0.9**epoch),
        lambda s, o: s.MultiplicativeLR(o, [lambda epoch: 0.9]),
        lambda s, o: s.ConstantLR(o, 0.5, 4),
        lambda s, o: s.LinearLR(o, 0.1, total_iters=6),
        lambda s, o: s.PolynomialLR(o, 7, 2.0),
        lambda s, o: s.SequentialLR(o, [s.ConstantLR(o, 0.1, 4), s.ExponentialLR(o, 0.9)], [4]),
        lambda s, o: s.ChainedScheduler([s.ConstantLR(o, 0.1, 4), s.ExponentialLR(o, 0.9)]),
    ],
)
def test_rates_are_pytorchs(build):
    same(lambda t: rates(t, build))


@pytest.mark.parametrize("options", [{}, {"mode": "max"}, {"threshold_mode": "abs", "cooldown": 2}])
def test_a_plateau_lowers_the_rate_as_pytorchs_does(options):
    same(
        lambda t: rates(
            t,
            lambda s, o: s.ReduceLROnPlateau(o, factor=0.5, patience=2, min_lr=0.01, **options),
            metric=lambda step: 1 / (step % 7 + 1),
        )
    )


@pytest.mark.parametrize(
    "attempt",
    [
        lambda s, o: s.StepLR(3, 1),
        lambda s, o: s.ExponentialLR(o, 0.9, last_epoch=3),
        lambda s, o: s.LambdaLR(o, [abs, abs]),
        lambda s, o: s.ReduceLROnPlateau(o, factor=1.5),
        lambda s, o: s.ReduceLROnPlateau(o, mode="best"),
        lambda s, o: s.LinearLR(o, start_factor=0.0),
    ],
)
def test_wrong_use_is_refused_with_pytorchs_error(attempt):
    same_error(
        lambda t: attempt(t.optim.lr_scheduler, t.optim.SGD([t.nn.Parameter(t.ones(1))], lr=0.1))
    )


def test_a_schedule_before_the_first_step_is_warned_about():
    optimizer = optim.SGD([nn.Parameter(labtorch.ones(1))], lr=0.1)
    scheduler = optim.lr_scheduler.StepLR(optimizer, 1)
    with pytest.warns(UserWarning, match="before `optimizer.step"):
        scheduler.step()
    optimizer.step()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scheduler.step()


def test_a_saved_schedule_continues():
    optimizer = optim.SGD([nn.Parameter(labtorch.ones(1))], lr=0.1)
    scheduler = optim.lr_scheduler.StepLR(optimizer, 3, 0.5)
    for _ in range(4):
        optimizer.step()
        scheduler.step()
    other = optim.lr_scheduler.StepLR(optimizer, 3, 0.5)
    other.load_state_dict(scheduler.state_dict())
    assert other.last_epoch == 4 and other.get_last_lr() == scheduler.get_last_lr()
