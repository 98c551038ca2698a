"""Anomaly mode and inference mode, and what the grad modes decorate."""

from __future__ import annotations

import pytest

import labtorch as torch
from tests.oracle import randn, same, same_error


# --------------------------------------------------------------------------------- anomaly mode
@pytest.mark.oracle
def test_a_nan_gradient_names_the_op_and_the_users_line():
    def program(t, x):
        with t.autograd.detect_anomaly():
            y = (x.requires_grad_() * 0) ** 0.5  # the culprit
            (y * 0).sum().backward()

    match = "Function 'PowBackward0' returned nan values in its 0th output."
    error = same_error(program, randn(3), match=match)
    assert "pow was called at" in str(error) and "# the culprit" in str(error)


@pytest.mark.oracle
def test_a_nan_of_a_forward_pass_outside_of_the_mode():
    def program(t, x):
        y = (x.requires_grad_() * 0) ** 0.5
        with t.autograd.set_detect_anomaly(True):
            (y * 0).sum().backward()

    error = same_error(program, randn(3), match="returned nan values in its 0th output")
    assert "called outside of anomaly mode" in str(error)


@pytest.mark.oracle
def test_without_check_nan_gradients_may_be_nan():
    def program(t, x):
        with t.autograd.detect_anomaly(check_nan=False):
            assert t.is_anomaly_enabled() and not t.is_anomaly_check_nan_enabled()
            return (x * 0) ** 0.5

    same(program, randn(3))


def test_an_error_in_a_backward_pass_names_the_line_too():
    class Fails(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            raise ValueError("no")

    with torch.autograd.detect_anomaly(), pytest.raises(ValueError) as caught:
        y = Fails.apply(torch.ones(1, requires_grad=True))  # right here
        y.backward()
    assert any("# right here" in note for note in caught.value.__notes__)


def test_the_mode_is_set_and_restored():
    assert not torch.is_anomaly_enabled()
    with torch.autograd.set_detect_anomaly(True):
        assert torch.is_anomaly_enabled() and torch.is_anomaly_check_nan_enabled()
        y = torch.ones(1, requires_grad=True) * 2
        with torch.autograd.set_detect_anomaly(False):
            assert not torch.is_anomaly_enabled()
        assert torch.is_anomaly_enabled()
    assert not torch.is_anomaly_enabled()
    assert "y = torch.ones" in y.grad_fn.metadata["traceback_"][0]
    assert (y * 2).grad_fn.metadata == {}
    torch.autograd.set_detect_anomaly(True)
    assert torch.is_anomaly_enabled()
    torch.autograd.set_detect_anomaly(False)


# ------------------------------------------------------------------------------- inference mode
@pytest.mark.oracle
def test_what_is_an_inference_tensor():
    def program(t, x):
        x.requires_grad_()
        with t.inference_mode():
            made, shown, new = x * 2, x[0], t.ones(2)
            drawn, copied = t.rand(2), made.clone()
            inside = t.is_inference_mode_enabled(), t.is_grad_enabled()
            with t.inference_mode(False):
                outside = t.is_inference_mode_enabled(), (x * 2).requires_grad
            with t.enable_grad():
                still = (x * 2).requires_grad
            new[0] = 3
            made.add_(1)
        tensors = made, shown, new, drawn, copied, made[0], made + 1, made.detach(), made.clone()
        flags = [each.is_inference() for each in tensors]
        return inside, outside, still, flags, t.is_inference(made), made.requires_grad, new

    same(program, randn(3), gradients=False)


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("use", "match"),
    [
        (lambda t, x, y: x * y, "Inference tensors cannot be saved for backward."),
        (lambda t, x, y: y.add_(1), "Inplace update to inference tensor outside InferenceMode"),
        (lambda t, x, y: y[0].mul_(1), "Inplace update to inference tensor outside InferenceMode"),
        (lambda t, x, y: y.zero_(), "Inplace update to inference tensor outside InferenceMode"),
        (lambda t, x, y: y.copy_(x), "Inplace update to inference tensor outside InferenceMode"),
        (lambda t, x, y: y.__setitem__(0, 1), "Inplace update to inference tensor outside"),
        (lambda t, x, y: y.requires_grad_(), "Setting requires_grad=True on inference tensor"),
    ],
)
def test_inference_tensors_stay_out_of_graphs(use, match):
    def program(t, x):
        with t.inference_mode():
            y = x * 2
        try:
            use(t, x.clone().requires_grad_() * (1 if "saved" in match else 0), y)
        except RuntimeError:
            assert t is not torch or y.tolist() == (x * 2).tolist()  # nothing was written
            raise

    same_error(lambda t, x: program(t, x.detach()), randn(3), match=match)


@pytest.mark.oracle
def test_inference_tensors_may_be_used_where_nothing_is_saved():
    def program(t, x):
        with t.inference_mode():
            y = x.detach() * 2
        return x + y, x * y.clone()

    same(program, randn(3))


# ------------------------------------------------------------------------------------ decorators
@pytest.mark.oracle
def test_a_decorated_generator_receives_and_catches():
    def program(t, x):
        seen = []

        @t.no_grad()
        def talk():
            sent = yield (x * 2).requires_grad
            seen.append((sent, t.is_grad_enabled()))
            try:
                yield 1
            except KeyError:
                seen.append(("caught", t.is_grad_enabled()))
            try:
                yield 2
            finally:
                seen.append(("closed", t.is_grad_enabled()))

        generator = talk()
        first = next(generator)
        second = generator.send("hello"), t.is_grad_enabled()
        third = generator.throw(KeyError)
        generator.close()
        return first, second, third, seen

    same(lambda t, x: program(t, x.requires_grad_()), randn(3), gradients=False)


@pytest.mark.oracle
def test_decorating_a_class_warns():
    def program(t, x):
        with pytest.warns(FutureWarning, match="Decorating classes is deprecated"):

            @t.no_grad()
            class Holder:
                def __init__(self):
                    self.value = (x * 2).requires_grad

        return Holder().value

    same(lambda t, x: program(t, x.requires_grad_()), randn(3), gradients=False)


def test_multithreading_is_accepted():
    with torch.autograd.set_multithreading_enabled(False):
        torch.ones(1, requires_grad=True).sum().backward()
