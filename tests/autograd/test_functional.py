"""autograd.functional against PyTorch's."""

from __future__ import annotations

import pytest

from tests.oracle import randn, same, same_error

pytestmark = pytest.mark.oracle


def two(x, y):
    return (x * y).sin(), (x.exp() * y).sum()


def scalar(x, y):
    return (x**3 * y).sum() + (x * y**2).prod()


@pytest.mark.parametrize("create_graph", [False, True])
def test_jacobian(create_graph):
    def run(t, f, *xs):
        return t.autograd.functional.jacobian(f, xs, create_graph=create_graph)

    same(lambda t, x, y: run(t, two, x, y), randn(3), randn(3, seed=1))
    same(lambda t, x: run(t, lambda x: x @ x, x), randn(2, 2))
    same(lambda t, x: t.autograd.functional.jacobian(lambda x: x.sum(), x), randn(2, 2))
    same(lambda t, x: t.autograd.functional.jacobian(lambda x: t.ones(2), x), randn(2))
    same(lambda t, x, y: run(t, lambda x, y: x * 2, x, y), randn(2), randn(2), gradients=False)


@pytest.mark.parametrize("create_graph", [False, True])
def test_hessian(create_graph):
    def run(t, f, xs):
        return t.autograd.functional.hessian(f, xs, create_graph=create_graph)

    same(lambda t, x, y: run(t, scalar, (x, y)), randn(2), randn(2, seed=1))
    same(lambda t, x: run(t, lambda x: (x.exp() ** 2).sum(), x), randn(3))
    same(lambda t, x: run(t, lambda x: x.sum(), x), randn(3), gradients=False)


@pytest.mark.parametrize("create_graph", [False, True])
def test_products(create_graph):
    def run(t, name, f, xs, v):
        return getattr(t.autograd.functional, name)(f, xs, v, create_graph=create_graph)

    for name in ("vhp", "hvp"):
        same(lambda t, x, y: run(t, name, scalar, (x, y), (y, x)), randn(2), randn(2, seed=1))  # noqa: B023
        same(lambda t, x: run(t, name, lambda x: (x**3).sum(), x, x), randn(3))  # noqa: B023
    same(lambda t, x, y: run(t, "jvp", two, (x, y), (y, x)), randn(3), randn(3, seed=1))
    same(lambda t, x, y: run(t, "vjp", two, (x, y), (y, x.sum())), randn(3), randn(3, seed=1))
    same(lambda t, x: run(t, "vjp", lambda x: x.sum(), x, None), randn(3))
    same(lambda t, x: run(t, "jvp", lambda x: x * t.ones(3), x, None), randn())


@pytest.mark.parametrize(
    ("program", "match"),
    [
        (lambda f, t, x: f.jacobian(lambda x: x, [x]), "must be either a Tensor or a tuple"),
        (lambda f, t, x: f.jacobian(lambda x: 3, x), "the given outputs of the user-provided"),
        (lambda f, t, x: f.jacobian(lambda x: (x, 3), x), "value at index 1 has type"),
        (
            lambda f, t, x: f.jacobian(lambda x: t.ones(2), x, strict=True),
            "Output 0 of the user-provided function does not require gradients.",
        ),
        (
            lambda f, t, x: f.jacobian(lambda x, y: x, (x, x), strict=True),
            "Output 0 of the user-provided function is independent of input 1.",
        ),
        (
            lambda f, t, x: f.jacobian(lambda x: x, x, strict=True, vectorize=True),
            "are not supported together",
        ),
        (lambda f, t, x: f.hessian(lambda x: x, x), "should contain a single element"),
        (lambda f, t, x: f.hessian(lambda x: (x, x), x), "should return a single Tensor"),
        (
            lambda f, t, x: f.hessian(lambda x: x.sum(), x, strict=True),
            "jacobian of the user-provided function with respect to input 0 is independent",
        ),
        (lambda f, t, x: f.vjp(lambda x: x * 2, x), "The vector v can only be None if"),
        (lambda f, t, x: f.jvp(lambda x: x * 2, x), "The vector v can only be None if"),
        (lambda f, t, x: f.vjp(lambda x: x * 2, x, t.ones(2)), "v has invalid size: should be"),
        (lambda f, t, x: f.vjp(lambda x: (x, x), x, x), "v is a tuple of invalid length"),
    ],
)
def test_errors(program, match):
    same_error(lambda t, x: program(t.autograd.functional, t, x), randn(3), match=match)
