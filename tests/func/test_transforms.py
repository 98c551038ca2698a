"""labtorch.func against torch.func: gradients of functions, products, Jacobians."""

from __future__ import annotations

import pytest

import labtorch as torch
from tests.oracle import randn, same, same_error

oracle = pytest.mark.oracle


def f(x, y):
    return (x.sin() * y).sum() + (x * y * y).prod()


def vector(x, y):
    return x.exp() * y, {"sum": (x * y).sum()}


@oracle
@pytest.mark.parametrize("argnums", [0, 1, -1, (0, 1)])
def test_grad(argnums):
    same(lambda t, x, y: t.func.grad(f, argnums)(x, y), randn(3), randn(3, seed=1))
    same(
        lambda t, x, y: t.func.grad_and_value(lambda *a: (f(*a), a[0] * 2), argnums, True)(x, y),
        randn(3),
        randn(3, seed=1),
    )


@oracle
def test_what_is_handed_back_has_no_graph_of_its_own():
    def program(t, x):
        x = x.detach()
        g, (value, aux) = t.func.grad_and_value(lambda x: ((x * x).sum(), x), has_aux=True)(x)
        return g, value, aux, t.func.vjp(t.sin, x)[1](x), t.func.jacrev(t.sin)(x)

    same(program, randn(3))


@oracle
def test_a_structure_of_parameters_and_of_results():
    def loss(p, x):
        return ((p["w"] * x + p["b"][0]) ** 2).sum()

    def program(t, w, b, x):
        return t.func.grad(loss)({"w": w, "b": [b]}, x)

    same(program, randn(3), randn(1, seed=1), randn(3, seed=2))


@oracle
def test_transforms_nest():
    same(lambda t, x: t.func.grad(t.func.grad(lambda x: x**3))(x), randn())
    same(lambda t, x: t.func.grad(lambda x: t.func.grad(lambda y: x * y**2)(x))(x), randn())
    same(
        lambda t, x, z: t.func.grad(lambda x: t.func.grad(lambda y: x**2 * y**3)(z))(x),
        randn(),
        randn(seed=1),
    )
    same(lambda t, x: t.func.jacrev(t.func.jacfwd(lambda x: x**3))(x), randn(2))
    same(lambda t, x: t.func.grad(lambda x: t.func.jvp(t.sin, (x,), (x,))[1].sum())(x), randn(3))
    same(lambda t, x: t.func.vmap(t.func.grad(lambda x: (x**2).sum()))(x), randn(3, 2))


@oracle
def test_captured_tensors_stay_differentiable():
    def program(t, x, w):
        return t.func.grad(lambda x: (x * w).sin().sum())(x)

    same(program, randn(3), randn(3, seed=1))

    def quiet(t, x, w):
        with t.no_grad():
            return t.func.grad(lambda x: (x * w).sin().sum())(x)

    same(quiet, randn(3), randn(3, seed=1))


@oracle
def test_products_with_vectors():
    def program(t, x, y):
        out, pull = t.func.vjp(vector, x, y)
        pulled = pull((x, {"sum": y.sum()}))
        pushed = t.func.jvp(vector, (x, y), (y, x))
        return out, pulled, pushed

    same(program, randn(3), randn(3, seed=1))
    same(lambda t, x: t.func.jvp(lambda x: (x**2, x), (x,), (x,), has_aux=True), randn(3))


@oracle
def test_linearize_is_jvp_at_one_place():
    def program(t, x, y):
        if t is not torch:  # PyTorch's own linearize compiles for seconds
            return t.func.jvp(vector, (x, y), (y, x))
        out, push = t.func.linearize(vector, x, y)
        return out, push(y, x)

    same(program, randn(3), randn(3, seed=1))


@oracle
@pytest.mark.parametrize("name", ["jacrev", "jacfwd"])
def test_jacobians(name):
    def program(t, x, y):
        return getattr(t.func, name)(vector, argnums=(0, 1))(x, y)

    same(program, randn(3), randn(3, seed=1))
    same(lambda t, x: getattr(t.func, name)(lambda x: (x @ x, x), has_aux=True)(x), randn(2, 2))


@oracle
def test_hessian():
    same(lambda t, x: t.func.hessian(lambda x: (x**3).sum() * x[0])(x), randn(3))


@oracle
@pytest.mark.parametrize(
    ("program", "match"),
    [
        (lambda t, x: t.func.grad(lambda x: x)(x), "to return a scalar Tensor, got tensor with 1"),
        (lambda t, x: t.func.grad(lambda x: (x, x))(x), "Expected f(*args) to return a Tensor"),
        (lambda t, x: t.func.grad(lambda x: x.sum(), 2)(x), "Got argnum=2, but only 1 positional"),
        (lambda t, x: t.func.jvp(lambda x: x, x, x), "Expected primals to be a tuple"),
        (lambda t, x: t.func.jvp(lambda x: x, (x,), (x[:2],)), "forward gradient that has a diff"),
    ],
)
def test_errors(program, match):
    same_error(program, randn(3), match=match)


# ------------------------------------------------------------------------------------------ vmap
@oracle
@pytest.mark.parametrize(
    "program",
    [
        lambda t, x, y: t.vmap(t.dot)(x, y),
        lambda t, x, y: t.func.vmap(t.mul, in_dims=(0, None))(x, y[0]),
        lambda t, x, y: t.func.vmap(t.mul, in_dims=(1, -1), out_dims=1)(x, y),
        lambda t, x, y: t.func.vmap(lambda p: p["a"] * p["b"][0], ({"a": 0, "b": 1},))(
            {"a": x, "b": [y.t()]}
        ),
        lambda t, x, y: t.func.vmap(lambda a: (a, {"s": a.sum()}), out_dims=(1, 0))(x),
        lambda t, x, y: t.func.vmap(t.func.vmap(t.mul))(x, y),
        lambda t, x, y: t.func.vmap(lambda a, k: a * k, in_dims=(0, None))(x, 3),
    ],
)
def test_vmap(program):
    same(program, randn(2, 3), randn(2, 3, seed=1))


@oracle
@pytest.mark.parametrize(
    ("program", "match"),
    [
        (lambda t, x: t.vmap(lambda x: 3)(x), "must only return Tensors, got type"),
        (lambda t, x: t.vmap(lambda x: x)(x[0]), "that input is a Tensor of dimensionality 0"),
        (lambda t, x: t.vmap(lambda x: x, in_dims=None)(x), "expected `in_dims` to be int or"),
        (lambda t, x: t.vmap(lambda x: x, in_dims=(0, 0))(x), "in_dims is not compatible with"),
        (lambda t, x: t.vmap(t.mul)(x, x[:2]), "the same size in the mapped dimension"),
        (lambda t, x: t.vmap(t.mul)(x, 2), "We cannot vmap over non-Tensor arguments"),
        (lambda t, x: t.vmap(lambda x: x + t.rand(1))(x), "called random operation while in"),
        (lambda t, x: t.vmap(lambda x: x, randomness="no")(x), "Only allowed values for random"),
    ],
)
def test_vmap_refuses(program, match):
    same_error(program, randn(3), match=match)


def test_randomness_of_vmap():
    x = torch.zeros(4)
    same_draws = torch.vmap(lambda x: x + torch.rand(()), randomness="same")(x)
    others = torch.vmap(lambda x: x + torch.rand(()), randomness="different")(x)
    assert len(set(same_draws.tolist())) == 1 and len(set(others.tolist())) == 4


# --------------------------------------------------------------------------------------- modules
def net(t, w):
    module = t.nn.Sequential(t.nn.Linear(3, 3), t.nn.Tanh())
    module[0].weight = t.nn.Parameter(w.detach().clone())
    module[0].bias = t.nn.Parameter(w.detach()[0].clone())
    return module


@oracle
def test_functional_call():
    def program(t, x, w):
        module = net(t, w)
        call = t.func.functional_call
        out = call(module, {"0.weight": w * 2}, (x,)), call(module, ({"0.bias": w[1]},), x)
        return *out, module(x).detach()

    same(program, randn(2, 3), randn(3, 3, seed=1), gradients=False)

    def differentiated(t, x, w):
        module = net(t, w)
        loss = lambda p: t.func.functional_call(module, p, (x,)).sum()  # noqa: E731
        return t.func.grad(loss)({"0.weight": w * 2, "0.bias": w[0] * 1})

    same(differentiated, randn(2, 3), randn(3, 3, seed=1))


@oracle
def test_functional_call_is_strict_and_ties():
    def strict(t, x, w):
        t.func.functional_call(net(t, w), {"0.bias": w[0], "more": w}, x, strict=True)

    same_error(strict, randn(2, 3), randn(3, 3), match="Unexpected key(s): 'more'.")

    def tied(t, x, w):
        module = t.nn.Sequential(t.nn.Linear(3, 3, bias=False), t.nn.Linear(3, 3, bias=False))
        module[1].weight = module[0].weight
        return t.func.functional_call(module, {"0.weight": w}, x)

    same(tied, randn(2, 3), randn(3, 3, seed=1))


@oracle
def test_an_ensemble():
    def program(t, x, v, w):
        models = [net(t, v), net(t, w)]
        parameters, buffers = t.func.stack_module_state(models)
        run = lambda p, b, x: t.func.functional_call(models[0], (p, b), (x,))  # noqa: E731
        return t.vmap(run, (0, 0, None))(parameters, buffers, x).detach()

    same(program, randn(2, 3), randn(3, 3, seed=1), randn(3, 3, seed=2), gradients=False)
    same_error(lambda t: t.func.stack_module_state([]), match="Expected at least one model, got 0.")
