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
        "times its x",
    ),
    "x in both": (lambda e, x: (-2 * (e * x).mean(), -2 * (e * x).mean()), "db is .* without x"),
    "dw and db swapped": (
        lambda e, x: (-2 * e.mean(), -2 * (e * x).mean()),
        "the right two numbers in the wrong order",
    ),
    "an array per point": (
        lambda e, x: ((-2 * e * x).numpy(), -2 * e.mean()),
        "dw has 7 elements",
    ),
    "no numbers": (lambda e, x: (None, None), "dw is not a number"),
    "nothing returned": (lambda e, x: None, "return two values"),
}


def test_the_right_gradients_pass(capsys):
    check.gradients(lambda x, y, w, b: _right(residual(x, y, w, b), x))
    assert "✓" in capsys.readouterr().out


def _right(e, x):
    return -2 * (e * x).mean(), -2 * e.mean()


@pytest.mark.parametrize("kind", [lambda v: v.item(), lambda v: v.numpy(), lambda v: v.reshape(1)])
def test_gradients_as_other_kinds_of_number_pass(kind):
    check.gradients(lambda x, y, w, b: [kind(v) for v in _right(residual(x, y, w, b), x)])


@pytest.mark.parametrize("wrong", GRADIENTS)
def test_a_wrong_gradient_is_told_why(wrong):
    answer, message = GRADIENTS[wrong]
    with pytest.raises(AssertionError, match=message):
        check.gradients(lambda x, y, w, b: answer(residual(x, y, w, b), x))


def loop(body, give="list"):
    """A training loop whose body is these parts, in this order."""

    def train(model, criterion, optimizer, x, y, steps):
        losses, loss = [], None
        for _ in range(steps):
            for part in body.split():
                if part == "zero":
                    optimizer.zero_grad()
                elif part == "forward":
                    loss = criterion(model(x), y)
                elif part == "backward":
                    loss.backward()
                elif part == "step":
                    optimizer.step()
                elif part == "keep":
                    losses.append(loss.item())
                elif part == "keep-tensor":
                    losses.append(loss)
                elif part == "return":
                    return losses
        return losses if give == "list" else None

    return train


def graph_outside_the_loop(model, criterion, optimizer, x, y, steps):
    loss = criterion(model(x), y)
    for _ in range(steps):
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def an_optimizer_of_its_own(model, criterion, optimizer, x, y, steps):
    mine = torch.optim.SGD(model.parameters(), lr=0.1)
    return loop("zero forward backward step keep")(model, criterion, mine, x, y, steps)


@pytest.mark.parametrize(
    "right",
    [
        "zero forward backward step keep",
        "forward zero backward step keep",
        "forward keep backward step zero",
    ],
)
def test_a_right_loop_passes(right):
    check.training_loop(loop(right))


def test_a_loop_that_clears_the_models_gradients_passes():
    def train(model, criterion, optimizer, x, y, steps):
        losses = []
        for _ in range(steps):
            model.zero_grad()
            losses += loop("forward backward step keep")(model, criterion, optimizer, x, y, 1)
        return losses

    check.training_loop(train)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (loop("forward backward step keep"), "start every step with optimizer.zero_grad"),
        (loop("zero forward backward keep"), r"step\(\) was not called"),
        (an_optimizer_of_its_own, "the optimizer you were given"),
        (lambda *_: [], "no backward pass was seen"),
        (loop("zero forward step backward keep"), r"step\(\) came before backward"),
        (loop("forward backward zero step keep"), "throws the gradient away"),
        (loop("zero forward backward step forward keep"), "12 forward passes"),
        (graph_outside_the_loop, "backward.* went through the same graph twice"),
        (loop("zero forward backward step keep return"), "Is `return` inside the loop"),
        (loop("zero forward backward step keep-tensor"), "as Python floats"),
        (loop("zero forward backward step keep", give="nothing"), "return the list of the 6"),
        (
            lambda m, c, o, x, y, n: loop("zero forward backward step keep")(m, c, o, x, y, n + 1),
            "6 steps were asked for",
        ),
    ],
)
def test_a_wrong_loop_is_told_why(wrong, message):
    with pytest.raises(AssertionError, match=message):
        check.training_loop(wrong)


def _limit(x):
    p, q, r = 2 * (x * x).mean(), 2 * x.mean(), 2.0
    return 2 / ((p + r) / 2 + (((p - r) / 2) ** 2 + q**2).sqrt()).item()


def _limit_of_the_flattest(x):
    p, q, r = 2 * (x * x).mean(), 2 * x.mean(), 2.0
    return 2 / ((p + r) / 2 - (((p - r) / 2) ** 2 + q**2).sqrt()).item()


def test_the_right_limit_passes():
    check.largest_learning_rate(_limit)
    check.largest_learning_rate(lambda x: torch.tensor(_limit(x)))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda x: 1.5 * _limit(x), "still grows"),
        (lambda x: _limit(x) / 3, "still shrinks"),
        (lambda x: 1 / (x * x).mean().item(), "the limit is lower"),
        (lambda x: 1, "still grows"),
        (lambda x: _limit(x) / 2, "is 1/λ"),
        (lambda x: 2 * _limit(x), "do not forget the factor 2"),
        (_limit_of_the_flattest, "the smaller eigenvalue"),
        (lambda x: -0.1, "one positive number"),
        (lambda x: None, "one positive number"),
        (lambda x: float("nan"), "one positive number"),
        (lambda x: x, "one positive number"),
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


def test_an_error_in_an_answer_shows_the_answers_lines_and_none_of_the_checks():
    def broken(x, y, w, b):
        return x @ y

    with pytest.raises(RuntimeError) as caught:
        check.gradients(broken)
    names = [entry.frame.code.raw.co_name for entry in caught.traceback]
    assert "broken" in names and "gradients" not in names


def test_a_notebook_shows_the_sentence_alone():
    with pytest.raises(AssertionError) as caught:
        check.gradients(lambda x, y, w, b: None)
    assert caught.value._render_traceback_() == [f"✗ {caught.value}"]
