"""Layers that are quantized as one: a convolution, its batch norm, its ReLU.

Each is a Sequential of the float layers, and computes what they compute.
"""

from __future__ import annotations

from labtorch.nn.activation import ReLU
from labtorch.nn.batchnorm import BatchNorm1d, BatchNorm2d, BatchNorm3d
from labtorch.nn.containers import Sequential
from labtorch.nn.conv import Conv1d, Conv2d, Conv3d
from labtorch.nn.linear import Linear
from labtorch.nn.module import Module
from labtorch.nn.utils.parametrize import type_before_parametrizations


class _FusedModule(Sequential):
    """Base of the fused: their parts, in the order in which they are applied."""

    parts: tuple[type[Module], ...] = ()

    def __init__(self, *modules: Module) -> None:
        given = tuple(type_before_parametrizations(each) for each in modules)
        if given != self.parts:
            raise AssertionError(
                f"Incorrect types for input modules: {type(self).__name__} takes "
                f"{', '.join(each.__name__ for each in self.parts)}, not "
                f"{', '.join(each.__name__ for each in given)}"
            )
        super().__init__(*modules)


class ConvReLU1d(_FusedModule):
    """Conv1d, ReLU."""

    parts = (Conv1d, ReLU)


class ConvReLU2d(_FusedModule):
    """Conv2d, ReLU."""

    parts = (Conv2d, ReLU)


class ConvReLU3d(_FusedModule):
    """Conv3d, ReLU."""

    parts = (Conv3d, ReLU)


class LinearReLU(_FusedModule):
    """Linear, ReLU."""

    parts = (Linear, ReLU)


class ConvBn1d(_FusedModule):
    """Conv1d, BatchNorm1d."""

    parts = (Conv1d, BatchNorm1d)


class ConvBn2d(_FusedModule):
    """Conv2d, BatchNorm2d."""

    parts = (Conv2d, BatchNorm2d)


class ConvBn3d(_FusedModule):
    """Conv3d, BatchNorm3d."""

    parts = (Conv3d, BatchNorm3d)


class ConvBnReLU1d(_FusedModule):
    """Conv1d, BatchNorm1d, ReLU."""

    parts = (Conv1d, BatchNorm1d, ReLU)


class ConvBnReLU2d(_FusedModule):
    """Conv2d, BatchNorm2d, ReLU."""

    parts = (Conv2d, BatchNorm2d, ReLU)


class ConvBnReLU3d(_FusedModule):
    """Conv3d, BatchNorm3d, ReLU."""

    parts = (Conv3d, BatchNorm3d, ReLU)


class BNReLU2d(_FusedModule):
    """BatchNorm2d, ReLU."""

    parts = (BatchNorm2d, ReLU)


class BNReLU3d(_FusedModule):
    """BatchNorm3d, ReLU."""

    parts = (BatchNorm3d, ReLU)


class LinearBn1d(_FusedModule):
    """Linear, BatchNorm1d."""

    parts = (Linear, BatchNorm1d)
