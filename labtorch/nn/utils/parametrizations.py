"""Weights of a fixed norm."""

from __future__ import annotations

from typing import Any

from labtorch.engine.modes import no_grad
from labtorch.nn.functional.normalization import normalize
from labtorch.nn.module import Module
from labtorch.nn.utils.parametrize import register_parametrization
from labtorch.tensor import functions, random
from labtorch.tensor.tensor import Tensor


def norm_except_dim(v: Tensor, dim: int | None = 0) -> Tensor:
    """The 2-norm over all dimensions but one (over all, for None or -1)."""
    if dim is None or dim == -1:
        return functions.norm(v)
    others = tuple(d for d in range(v.ndim) if d != dim % v.ndim)
    return functions.norm(v, 2, others, True)


class _WeightNorm(Module):
    """w = g v / |v|: length and direction apart. Source: Salimans, Kingma (2016)."""

    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        return weight_v * (weight_g / norm_except_dim(weight_v, self.dim))

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        return norm_except_dim(weight, self.dim), weight


def as_matrix(weight: Tensor, dim: int) -> Tensor:
    """The weight with dimension `dim` as rows and all others as columns."""
    if dim:
        weight = weight.permute(dim, *(d for d in range(weight.ndim) if d != dim))
    return weight.flatten(1)


def power_iterations(matrix: Tensor, u: Tensor, v: Tensor, n: int, eps: float) -> None:
    """Turn u and v towards the first singular vectors, in place."""
    with no_grad():
        for _ in range(n):
            u.data = normalize(matrix.mv(v), dim=0, eps=eps).detach()
            v.data = normalize(matrix.T.mv(u), dim=0, eps=eps).detach()


class _SpectralNorm(Module):
    """w / (its largest singular value), found by power iteration. Source: Miyato et al. (2018)."""

    def __init__(
        self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12
    ) -> None:
        super().__init__()
        if n_power_iterations <= 0:
            raise ValueError(
                "Expected n_power_iterations to be positive, but got "
                f"n_power_iterations={n_power_iterations}"
            )
        self.dim = dim if dim >= 0 else dim + weight.ndim
        self.eps, self.n_power_iterations = eps, n_power_iterations
        if weight.ndim > 1:
            matrix = as_matrix(weight.detach(), self.dim)
            h, w = matrix.shape
            for name, size in (("_u", h), ("_v", w)):
                drawn = random.randn(size, dtype=weight.dtype)
                self.register_buffer(name, normalize(drawn, dim=0, eps=eps))
            power_iterations(matrix, self._u, self._v, 15, eps)

    def forward(self, weight: Tensor) -> Tensor:
        if weight.ndim == 1:
            return normalize(weight, dim=0, eps=self.eps)
        matrix = as_matrix(weight, self.dim)
        if self.training:
            power_iterations(matrix.detach(), self._u, self._v, self.n_power_iterations, self.eps)
        u, v = self._u.clone(), self._v.clone()
        return weight / u.dot(matrix.mv(v))

    def right_inverse(self, value: Tensor) -> Tensor:
        return value


def weight_norm(module: Module, name: str = "weight", dim: int = 0) -> Module:
    """Train a weight's lengths along `dim` and its directions apart."""
    return register_parametrization(module, name, _WeightNorm(dim), unsafe=True)


def spectral_norm(
    module: Module,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> Module:
    """Keep the largest singular value of a weight at 1."""
    weight: Any = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    if dim is None:
        dim = 1 if type(module).__name__.startswith("ConvTranspose") else 0
    made = _SpectralNorm(weight, n_power_iterations, dim, eps)
    return register_parametrization(module, name, made)


def orthogonal(module: Module, name: str = "weight", *args: Any, **options: Any) -> Module:
    raise NotImplementedError(
        "parametrizations.orthogonal is not here: nn.init.orthogonal_ starts with an orthogonal "
        "weight, and register_parametrization keeps it so with a map of yours, as in "
        "labtorch.linalg.qr(x)[0]"
    )
