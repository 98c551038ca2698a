"""The checks of chapter 11 pass what is right, and tell students what went wrong."""

import functools
import json

import pytest

import labtorch as torch
from labtorch.exercises import parallel as check
from tests.distributed import launch


def weighted(gradients, sizes):
    return sum(g * n for g, n in zip(gradients, sizes)) / sum(sizes)


RIGHT = {
    "a sum": weighted,
    "stacked": lambda g, s: (torch.stack(g) * torch.tensor(s).reshape(-1, 1, 1)).sum(0) / sum(s),
    "in place": lambda g, s: [x.mul_(n / sum(s)) for x, n in zip(g, s)] and sum(g),
}
WRONG = {
    "plain mean": (lambda g, s: sum(g) / len(g), "plain mean"),
    "sum": (lambda g, s: sum(g), "sum of the gradients"),
    "not divided": (lambda g, s: sum(x * n for x, n in zip(g, s)), "divide by the number"),
    "divided by shards": (
        lambda g, s: sum(x * n for x, n in zip(g, s)) / len(s),
        "away from the gradient",
    ),
    "the largest": (lambda g, s: g[0], "away from the gradient"),
    "a list": (lambda g, s: g, "return one tensor"),
    "nothing": (lambda g, s: None, "return one tensor"),
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_combinations_pass(name, capsys):
    check.combine(RIGHT[name])
    assert "✓" in capsys.readouterr().out


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_combination_is_told_why(name):
    answer, message = WRONG[name]
    with pytest.raises(AssertionError, match=message):
        check.combine(answer)


def test_it_speaks_chinese(monkeypatch):
    monkeypatch.setenv("LABTORCH_LANG", "zh")
    with pytest.raises(AssertionError, match="不加权的平均"):
        check.combine(WRONG["plain mean"][0])
    with pytest.raises(AssertionError, match="不加权的平均"):
        check.judge(seen()["plain_mean"]["every"])


@functools.cache
def seen():
    code, out, err = launch.run(2, "-m", "tests.exercises.parallel_answers")
    assert code == 0, err
    return {each["name"]: each for each in map(json.loads, out.splitlines())}


SAYS = {
    "plain_mean": r"plain mean; the ranks had \[3, 8\] samples",
    "a_sum": "every rank has the sum",
    "not_divided": "not divided by the number of all",
    "a_copy": "the gradients are as they were",
    "divided_by_its_own": "different gradients",
    "weighted_by_rank": "away from the weighted mean",
    "on_one_rank_only": "rank 0 raised RuntimeError: all_reduce: the ranks do not call the same",
    "not_yet": "rank 0 raised NotImplementedError",
}


@pytest.mark.mpi
@pytest.mark.parametrize("name", ["right", "by_a_new_tensor"])
def test_right_averages_pass(name):
    check.judge(seen()[name]["every"])


@pytest.mark.mpi
@pytest.mark.parametrize("name", SAYS)
def test_a_wrong_average_is_told_why(name):
    with pytest.raises(AssertionError, match=SAYS[name]):
        check.judge(seen()[name]["every"])
