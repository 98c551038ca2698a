"""Fake quantizers: modules that put floats on a grid in training, so that a model gets used to it.

    y = (clamp(round(x / scale + zero_point), quant_min, quant_max) - zero_point) * scale

An observer inside chooses the grid; the gradient passes as if nothing had been rounded.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from labtorch.backend import dtypes, schemes
from labtorch.nn.module import Module
from labtorch.ops.quantization import (
    fake_quantize_per_channel_affine,
    fake_quantize_per_tensor_affine,
)
from labtorch.quantization.observer import (
    LIMITS,
    FixedQParamsObserver,
    HistogramObserver,
    MovingAverageMinMaxObserver,
    MovingAveragePerChannelMinMaxObserver,
    Resizing,
    _PartialWrapper,
    default_fixed_qparams_range_0to1_observer,
    default_fixed_qparams_range_neg1to1_observer,
    with_args,
)
from labtorch.tensor.creation import tensor
from labtorch.tensor.tensor import Tensor


class FakeQuantizeBase(ABC, Module):
    """Base of fake quantizers: rounding and observing are switched on and off apart."""

    fake_quant_enabled: Tensor
    observer_enabled: Tensor
    switch = dtypes.uint8

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("fake_quant_enabled", tensor([1], dtype=self.switch))
        self.register_buffer("observer_enabled", tensor([1], dtype=self.switch))

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor: ...

    @abstractmethod
    def calculate_qparams(self, **kwargs: Any) -> Any: ...

    def enable_fake_quant(self, enabled: bool = True) -> None:
        """Round what passes, or let it pass as it is."""
        self.fake_quant_enabled[0] = int(enabled)

    def disable_fake_quant(self) -> None:
        self.enable_fake_quant(False)

    def enable_observer(self, enabled: bool = True) -> None:
        """Let the grid follow what passes, or keep it as it is."""
        self.observer_enabled[0] = int(enabled)

    def disable_observer(self) -> None:
        self.enable_observer(False)

    @classmethod
    def with_args(cls, **kwargs: Any) -> _PartialWrapper:
        """The class with some arguments given: what a QConfig takes."""
        return with_args(cls, **kwargs)


class FakeQuantize(Resizing, FakeQuantizeBase):
    """Rounds to the grid that its `observer` chooses from what has passed so far."""

    scale: Tensor
    zero_point: Tensor
    resized = ("scale", "zero_point")

    def __init__(
        self,
        observer: Any = MovingAverageMinMaxObserver,
        quant_min: int | None = None,
        quant_max: int | None = None,
        is_dynamic: bool = False,
        **observer_kwargs: Any,
    ) -> None:
        super().__init__()
        if quant_min is not None and quant_max is not None:
            if quant_min > quant_max:
                raise AssertionError("quant_min must be less than or equal to quant_max")
            given = getattr(getattr(observer, "p", None), "keywords", {})
            dtype = given.get("dtype", observer_kwargs.get("dtype", dtypes.quint8))
            low, high = LIMITS[dtype]
            for name, value in (("quant_min", quant_min), ("quant_max", quant_max)):
                if not low <= value <= high:
                    raise AssertionError(
                        f"{name} out of bound: {value}, but {dtype!r} goes from {low} to {high}"
                    )
            observer_kwargs |= {"quant_min": quant_min, "quant_max": quant_max}
        if is_dynamic:
            observer_kwargs["is_dynamic"] = True
        observer_kwargs.pop("factory_kwargs", None)
        inner = self.activation_post_process = observer(**observer_kwargs)
        self.quant_min, self.quant_max = inner.quant_min, inner.quant_max
        self.is_dynamic, self.dtype, self.qscheme = inner.is_dynamic, inner.dtype, inner.qscheme
        floats = inner.qscheme is schemes.per_channel_affine_float_qparams
        zero_kind = dtypes.float32 if floats else dtypes.int32
        self.register_buffer("scale", tensor([1.0], dtype=dtypes.float32))
        self.register_buffer("zero_point", tensor([0], dtype=zero_kind))
        self.ch_axis = getattr(inner, "ch_axis", -1)
        self.is_per_channel = inner.qscheme.per_channel

    def calculate_qparams(self, **kwargs: Any) -> tuple[Tensor, Tensor]:
        return self.activation_post_process.calculate_qparams()

    def saw_nothing(self) -> bool:
        """Is there nothing to choose a grid from?"""
        return self.activation_post_process.saw_nothing()

    def forward(self, X: Tensor) -> Tensor:
        if self.observer_enabled._array[0] == 1:
            self.activation_post_process(X.detach())
            scale, zero_point = self.calculate_qparams()
            self.scale = scale.to(self.scale.dtype)
            self.zero_point = zero_point.to(self.zero_point.dtype)
        if self.fake_quant_enabled._array[0] != 1:
            return X
        grid, levels = (self.scale, self.zero_point), (self.quant_min, self.quant_max)
        if self.is_per_channel:
            return fake_quantize_per_channel_affine(X, *grid, self.ch_axis, *levels)
        return fake_quantize_per_tensor_affine(X, *grid, *levels)

    def extra_repr(self) -> str:
        return (
            f"fake_quant_enabled={self.fake_quant_enabled}, "
            f"observer_enabled={self.observer_enabled}, quant_min={self.quant_min}, "
            f"quant_max={self.quant_max}, dtype={self.dtype}, qscheme={self.qscheme}, "
            f"ch_axis={self.ch_axis}, scale={self.scale}, zero_point={self.zero_point}"
        )


class FixedQParamsFakeQuantize(FakeQuantize):
    """Rounds to a grid that is known, as for a sigmoid."""

    def __init__(self, observer: Any) -> None:
        super().__init__(observer=observer)
        inner = self.activation_post_process
        if type(inner) is not FixedQParamsObserver:
            raise AssertionError(
                f"{type(self).__name__}'s observer must be a FixedQParamsObserver, not "
                f"{type(inner).__name__}"
            )
        self._observer_ctr = observer
        self.scale, self.zero_point = inner.scale, inner.zero_point

    def calculate_qparams(self, **kwargs: Any) -> tuple[Tensor, Tensor]:
        return self.scale, self.zero_point


class FusedMovingAvgObsFakeQuantize(FakeQuantize):
    """`FakeQuantize` over a moving average. PyTorch fuses the two into one kernel; here they are
    the two steps they always are, and the zero point is the observer's."""

    switch = dtypes.int64

    def __init__(
        self,
        observer: Any = MovingAverageMinMaxObserver,
        quant_min: int = 0,
        quant_max: int = 255,
        **observer_kwargs: Any,
    ) -> None:
        super().__init__(observer, quant_min, quant_max, **observer_kwargs)
        known = (MovingAverageMinMaxObserver, MovingAveragePerChannelMinMaxObserver)
        if not isinstance(self.activation_post_process, known):
            raise AssertionError(
                "Fused observer+fake_quant module only works with MovingAverageMinMaxObserver, not "
                f"{type(self.activation_post_process).__name__}"
            )


def _switch(name: str) -> Any:
    def call(mod: Module) -> None:
        if isinstance(mod, FakeQuantizeBase):
            getattr(mod, name)()

    call.__name__ = name
    call.__doc__ = f"`{name}()` of a fake quantizer: model.apply({name}) does it for all."
    return call


disable_fake_quant, enable_fake_quant = map(_switch, ("disable_fake_quant", "enable_fake_quant"))
disable_observer, enable_observer = map(_switch, ("disable_observer", "enable_observer"))

_WEIGHT = {"quant_min": -128, "quant_max": 127, "dtype": dtypes.qint8}
_PER_TENSOR = _WEIGHT | {
    "observer": MovingAverageMinMaxObserver,
    "qscheme": schemes.per_tensor_symmetric,
}
_PER_CHANNEL = _WEIGHT | {
    "observer": MovingAveragePerChannelMinMaxObserver,
    "qscheme": schemes.per_channel_symmetric,
}
_NARROW = {"quant_min": -127, "quant_max": 127, "eps": 2**-12}
_ACTIVATION = {"quant_min": 0, "quant_max": 255, "dtype": dtypes.quint8}

default_fake_quant = FakeQuantize.with_args(
    **_ACTIVATION,
    observer=MovingAverageMinMaxObserver,
    qscheme=schemes.per_tensor_affine,
    reduce_range=True,
)
default_weight_fake_quant = FakeQuantize.with_args(**_PER_TENSOR, reduce_range=False)
default_per_channel_weight_fake_quant = FakeQuantize.with_args(
    **_PER_CHANNEL, reduce_range=False, ch_axis=0
)
default_dynamic_fake_quant = FakeQuantize.with_args(
    **_ACTIVATION, observer=MovingAverageMinMaxObserver, is_dynamic=True, averaging_constant=1
)
default_embedding_fake_quant = FakeQuantize.with_args(
    **_ACTIVATION,
    observer=MovingAveragePerChannelMinMaxObserver,
    qscheme=schemes.per_channel_affine_float_qparams,
    ch_axis=0,
    averaging_constant=1,
)
default_histogram_fake_quant = FakeQuantize.with_args(
    **_ACTIVATION,
    observer=HistogramObserver,
    qscheme=schemes.per_tensor_affine,
    reduce_range=True,
)
default_fixed_qparams_range_neg1to1_fake_quant = FixedQParamsFakeQuantize.with_args(
    observer=default_fixed_qparams_range_neg1to1_observer
)
default_fixed_qparams_range_0to1_fake_quant = FixedQParamsFakeQuantize.with_args(
    observer=default_fixed_qparams_range_0to1_observer
)
default_symmetric_fixed_qparams_fake_quant = default_fixed_qparams_range_neg1to1_fake_quant
default_affine_fixed_qparams_fake_quant = default_fixed_qparams_range_0to1_fake_quant
default_fused_act_fake_quant = FusedMovingAvgObsFakeQuantize.with_args(
    **_ACTIVATION, observer=MovingAverageMinMaxObserver
)
default_fused_wt_fake_quant = FusedMovingAvgObsFakeQuantize.with_args(**_PER_TENSOR)
default_fused_per_channel_wt_fake_quant = FusedMovingAvgObsFakeQuantize.with_args(**_PER_CHANNEL)
fused_wt_fake_quant_range_neg_127_to_127 = FusedMovingAvgObsFakeQuantize.with_args(
    **(_PER_TENSOR | _NARROW)
)
fused_per_channel_wt_fake_quant_range_neg_127_to_127 = FusedMovingAvgObsFakeQuantize.with_args(
    **(_PER_CHANNEL | _NARROW)
)
