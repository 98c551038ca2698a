"""Hooks on the calls of all modules."""

from __future__ import annotations

import importlib

import pytest

import labtorch
from tests.oracle import randn, same


@pytest.mark.oracle
def test_hooks_on_all_modules_run_before_a_modules_own():
    def program(t, x):
        hooks = importlib.import_module(t.__name__ + ".nn.modules.module")
        net = t.nn.Sequential(t.nn.Tanh(), t.nn.ReLU())
        seen = []

        def note(what):
            return lambda module, *rest: seen.append((what, type(module).__name__))

        handles = [
            hooks.register_module_forward_pre_hook(note("before")),
            hooks.register_module_forward_hook(note("after")),
            hooks.register_module_full_backward_pre_hook(note("backward before")),
            hooks.register_module_full_backward_hook(note("backward after")),
        ]
        net[0].register_forward_hook(note("own"))
        try:
            net(x).sum().backward()
        finally:
            for handle in handles:
                handle.remove()
        net(x)
        return seen

    same(lambda t, x: program(t, x.requires_grad_()), randn(3), gradients=False)
    assert labtorch.nn.Module._hooked is False


@pytest.mark.oracle
def test_a_global_hook_may_replace_the_result():
    def program(t, x):
        hooks = importlib.import_module(t.__name__ + ".nn.modules.module")
        with hooks.register_module_forward_hook(lambda module, args, result: result * 2):
            return t.nn.Tanh()(x)

    same(program, randn(3))
