"""The checks of chapter 05 pass what is right, and tell students what went wrong."""

import pytest

import labtorch as torch
from labtorch.exercises import linear_regression as check


def residual(x, y, w, b):
    return y - (w * x + b)


GRADIENTS = {
    "as the document has it": (
        lambda e, x: (2 * (e * x).mean(), 2 * e.mean()),
        "dw has the right size and the wrong sign",
    ),
    "without the factor 2": (lambda e, x: (-(e * x).mean(), -e.mean()), "dw is half"),
    "a sum for a mean": (
        lambda e, x: (-2 * (e * x).sum(), -2 * e.sum()),
        "7 times too large for 7 points",
    ),
    "one number per point": (lambda e, x: (-2 * e * x, -2 * e), "dw has 7 elements"),
    "without x": (
        lambda e, x: (-2 * e.mean(), -2 * e.mean()),
        "Each term of dw is weighted by its x",
    ),
    "x in both": (lambda e, x: (-2 * (e * x).mean(), -2 * (e * x).mean()), "db has no factor x"),
    "nothing returned": (lambda e, x: None, "return two values"),
}


def test_the_right_gradients_pass(capsys):
    check.gradients(lambda x, y, w, b: _right(residual(x, y, w, b), x))
    assert "✓" in capsys.readouterr().out


def _right(e, x):
    return -2 * (e * x).mean(), -2 * e.mean()


def test_gradients_as_python_numbers_pass():
    check.gradients(lambda x, y, w, b: tuple(v.item() for v in _right(residual(x, y, w, b), x)))


@pytest.mark.parametrize("wrong", GRADIENTS)
def test_a_wrong_gradient_is_told_why(wrong):
    answer, message = GRADIENTS[wrong]
    with pytest.raises(AssertionError, match=message):
        check.gradients(lambda x, y, w, b: answer(residual(x, y, w, b), x))


def loop(zero=True, backward=1, step=True, give="item"):
    def train(model, criterion, optimizer, x, y, steps):
        losses = []
        for _ in range(steps):
            if zero:
                optimizer.zero_grad()
            for _ in range(backward):
                loss = criterion(model(x), y)
                loss.backward()
            if step:
                optimizer.step()
            losses.append(loss.item() if give == "item" else loss)
        return None if give == "nothing" else losses

    return train


def test_the_right_loop_passes():
    check.training_loop(loop())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (loop(zero=False), "start every step with optimizer.zero_grad"),
        (loop(step=False), "the weights did not move"),
        (lambda *_: [], "no backward pass was seen"),
        (loop(give="tensor"), "as Python floats"),
        (loop(give="nothing"), "return the list of the 6 losses"),
        (lambda m, c, o, x, y, steps: loop()(m, c, o, x, y, steps + 1), "6 steps were asked for"),
    ],
)
def test_a_wrong_loop_is_told_why(wrong, message):
    with pytest.raises(AssertionError, match=message):
        check.training_loop(wrong)


def _limit(x):
    p, q, r = 2 * (x * x).mean(), 2 * x.mean(), 2.0
    return 2 / ((p + r) / 2 + (((p - r) / 2) ** 2 + q**2).sqrt()).item()


def test_the_right_limit_passes():
    check.largest_learning_rate(_limit)
    check.largest_learning_rate(lambda x: torch.tensor(_limit(x)))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda x: 2 * _limit(x), "still grows"),
        (lambda x: _limit(x) / 2, "still shrinks"),
        (lambda x: 1 / (x * x).mean().item(), "still grows"),
        (lambda x: -0.1, "a positive number"),
        (lambda x: None, "a positive number"),
    ],
)
def test_a_wrong_limit_is_told_why(wrong, message):
    with pytest.raises(AssertionError, match=message):
        check.largest_learning_rate(wrong)


def test_checks_speak_chinese_where_the_notebook_does(tmp_path, monkeypatch):
    (tmp_path / "zh" / "solutions").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "zh" / "solutions")
    with pytest.raises(AssertionError, match="符号相反"):
        check.gradients(lambda x, y, w, b: [-g for g in _right(residual(x, y, w, b), x)])
    monkeypatch.setenv("LABTORCH_LANG", "en")
    with pytest.raises(AssertionError, match="wrong sign"):
        check.gradients(lambda x, y, w, b: [-g for g in _right(residual(x, y, w, b), x)])
