"""The older weight and spectral norm: a hook computes the weight before every call."""

from __future__ import annotations

import warnings
from typing import Any

from labtorch.nn.module import Module
from labtorch.nn.parameter import Parameter
from labtorch.nn.utils.parametrizations import _SpectralNorm, as_matrix, norm_except_dim
from labtorch.nn.utils.parametrizations import power_iterations as _iterate
from labtorch.tensor.tensor import Tensor


class _Hook:
    """Before every call: set `module.<name>` to what `compute` makes of its parts."""

    def __init__(self, name: str) -> None:
        self.name = name

    def compute(self, module: Module) -> Tensor:
        raise NotImplementedError

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self.name, self.compute(module))

    def attach(self, module: Module) -> Module:
        hooks = [each[0] for each in module._forward_pre_hooks.values()]
        if any(type(each) is type(self) and each.name == self.name for each in hooks):
            raise RuntimeError(
                f"Cannot register two {type(self).__name__} hooks on the same parameter {self.name}"
            )
        self(module, None)
        module.register_forward_pre_hook(self)
        return module


class WeightNorm(_Hook):
    def __init__(self, name: str, dim: int | None) -> None:
        super().__init__(name)
        self.dim = -1 if dim is None else dim

    def compute(self, module: Module) -> Tensor:
        g, v = (getattr(module, f"{self.name}_{part}") for part in "gv")
        return v * (g / norm_except_dim(v, self.dim))


class SpectralNorm(_Hook):
    def __init__(self, name: str, n: int, dim: int, eps: float) -> None:
        super().__init__(name)
        self.n_power_iterations, self.dim, self.eps = n, dim, eps

    def compute(self, module: Module) -> Tensor:
        weight, u, v = (getattr(module, f"{self.name}_{part}") for part in ("orig", "u", "v"))
        matrix = as_matrix(weight, self.dim)
        if module.training:
            _iterate(matrix.detach().T, v, u, self.n_power_iterations, self.eps)  # v comes first
        return weight / u.clone().dot(matrix.mv(v.clone()))


def weight_norm(module: Module, name: str = "weight", dim: int = 0) -> Module:
    """As `parametrizations.weight_norm`, with the parts named weight_g and weight_v."""
    warnings.warn(
        "`torch.nn.utils.weight_norm` is deprecated in favor of "
        "`torch.nn.utils.parametrizations.weight_norm`.",
        FutureWarning,
        stacklevel=2,
    )
    weight = getattr(module, name)
    hook = WeightNorm(name, dim)
    delattr(module, name)
    length = norm_except_dim(weight.detach(), hook.dim)
    module.register_parameter(f"{name}_g", Parameter(length))
    module.register_parameter(f"{name}_v", Parameter(weight.detach()))
    return hook.attach(module)


def spectral_norm(
    module: Module,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> Module:
    """As `parametrizations.spectral_norm`, with weight_orig, weight_u and weight_v."""
    if dim is None:
        dim = 1 if type(module).__name__.startswith("ConvTranspose") else 0
    weight = getattr(module, name)
    found = _SpectralNorm(weight, n_power_iterations, dim, eps)
    delattr(module, name)
    module.register_parameter(f"{name}_orig", weight)
    module.register_buffer(f"{name}_u", found._u)
    module.register_buffer(f"{name}_v", found._v)
    return SpectralNorm(name, n_power_iterations, dim, eps).attach(module)


def _remove(kind: type[_Hook], module: Module, name: str, parts: tuple[str, ...]) -> Module:
    for key, each in module._forward_pre_hooks.items():
        if type(each[0]) is kind and each[0].name == name:
            weight = each[0].compute(module).detach()
            delattr(module, name)
            for part in parts:
                delattr(module, f"{name}_{part}")
            module.register_parameter(name, Parameter(weight))
            del module._forward_pre_hooks[key]  # type: ignore[attr-defined]
            return module
    what = "weight_norm" if kind is WeightNorm else "spectral_norm"
    raise ValueError(f"{what} of '{name}' not found in {module}")


def remove_weight_norm(module: Module, name: str = "weight") -> Module:
    """Make the weight an ordinary parameter again."""
    return _remove(WeightNorm, module, name, ("g", "v"))


def remove_spectral_norm(module: Module, name: str = "weight") -> Module:
    """Make the weight an ordinary parameter again."""
    return _remove(SpectralNorm, module, name, ("orig", "u", "v"))
