"""QConfig: which observers, or fake quantizers, a layer gets for its results and its weights."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

from labtorch.backend import dtypes
from labtorch.nn.linear import Identity
from labtorch.nn.module import Module
from labtorch.quantization.fake_quantize import (
    FakeQuantize,
    FusedMovingAvgObsFakeQuantize,
    default_dynamic_fake_quant,
    default_embedding_fake_quant,
    default_fake_quant,
    default_fused_act_fake_quant,
    default_fused_per_channel_wt_fake_quant,
    default_fused_wt_fake_quant,
    default_per_channel_weight_fake_quant,
    default_weight_fake_quant,
    fused_per_channel_wt_fake_quant_range_neg_127_to_127,
    fused_wt_fake_quant_range_neg_127_to_127,
)
from labtorch.quantization.observer import (
    HistogramObserver,
    MinMaxObserver,
    MovingAverageMinMaxObserver,
    NoopObserver,
    PlaceholderObserver,
    default_debug_observer,
    default_dynamic_quant_observer,
    default_float_qparams_observer,
    default_observer,
    default_per_channel_weight_observer,
    default_placeholder_observer,
    default_reuse_input_observer,
    default_weight_observer,
    per_channel_weight_observer_range_neg_127_to_127,
    weight_observer_range_neg_127_to_127,
)

BACKENDS = ("fbgemm", "x86", "qnnpack", "onednn")


class QConfig(namedtuple("QConfig", ["activation", "weight"])):
    """Two makers of observers: one for what a layer gives, one for its weight.

    A maker is a class, or a class with arguments given, `MinMaxObserver.with_args(dtype=...)`;
    every layer gets observers of its own from it.
    """

    __slots__ = ()

    def __new__(cls, activation: Any, weight: Any) -> QConfig:
        for each in (activation, weight):
            if isinstance(each, Module):
                name = type(each).__name__
                raise ValueError(
                    f"QConfig received observer instance, please pass observer class instead: "
                    f"{name}, or {name}.with_args(x=1) to override arguments to constructor"
                )
        return super().__new__(cls, activation, weight)


QConfigAny = QConfig | None

default_qconfig = QConfig(default_observer, default_weight_observer)
default_debug_qconfig = QConfig(default_debug_observer, default_weight_observer)
default_per_channel_qconfig = QConfig(default_observer, default_per_channel_weight_observer)
default_dynamic_qconfig = QConfig(default_dynamic_quant_observer, default_weight_observer)
float16_dynamic_qconfig = QConfig(
    PlaceholderObserver.with_args(dtype=dtypes.float16, is_dynamic=True),
    PlaceholderObserver.with_args(dtype=dtypes.float16),
)
float16_static_qconfig = QConfig(
    PlaceholderObserver.with_args(dtype=dtypes.float16),
    PlaceholderObserver.with_args(dtype=dtypes.float16),
)
per_channel_dynamic_qconfig = QConfig(
    default_dynamic_quant_observer, default_per_channel_weight_observer
)
float_qparams_weight_only_qconfig = QConfig(
    default_placeholder_observer, default_float_qparams_observer
)
default_qat_qconfig = QConfig(default_fake_quant, default_weight_fake_quant)
default_qat_qconfig_v2 = QConfig(default_fused_act_fake_quant, default_fused_wt_fake_quant)
default_dynamic_qat_qconfig = QConfig(default_dynamic_fake_quant, default_weight_fake_quant)
default_weight_only_qconfig = QConfig(Identity, default_weight_fake_quant)
default_activation_only_qconfig = QConfig(default_fake_quant, Identity)
default_reuse_input_qconfig = QConfig(default_reuse_input_observer, NoopObserver)
default_embedding_qat_qconfig = QConfig(
    NoopObserver.with_args(dtype=dtypes.float32), default_embedding_fake_quant
)
default_quint8_weight_qconfig = QConfig(HistogramObserver, MinMaxObserver)

_SIGNED = {"dtype": dtypes.qint8, "reduce_range": False, "eps": 2**-12}
_signed_histogram = HistogramObserver.with_args(**_SIGNED)
_signed_fake_quant = FusedMovingAvgObsFakeQuantize.with_args(
    **_SIGNED, observer=MovingAverageMinMaxObserver, quant_min=-128, quant_max=127
)
default_symmetric_qnnpack_qconfig = QConfig(_signed_histogram, weight_observer_range_neg_127_to_127)
default_per_channel_symmetric_qnnpack_qconfig = QConfig(
    _signed_histogram, per_channel_weight_observer_range_neg_127_to_127
)
default_symmetric_qnnpack_qat_qconfig = QConfig(
    _signed_fake_quant, fused_wt_fake_quant_range_neg_127_to_127
)
default_per_channel_symmetric_qnnpack_qat_qconfig = QConfig(
    _signed_fake_quant, fused_per_channel_wt_fake_quant_range_neg_127_to_127
)


def _check(backend: str, version: int, known: tuple[int, ...]) -> None:
    if backend not in BACKENDS:
        raise AssertionError(
            f"backend: {backend} not supported. backend must be one of {list(BACKENDS)}"
        )
    if version not in known:
        raise AssertionError(
            f"Version number: {version} is not supported. Version number must be "
            f"{' or '.join(map(str, known))}"
        )


def get_default_qconfig(backend: str = "x86", version: int = 0) -> QConfig:
    """The usual QConfig for calibration: histograms of results, and weights per channel.

    "x86" and "fbgemm" use half of the codes for results, so that sums of two products fit 16 bits
    on older processors; "qnnpack" has one scale for a whole weight.
    """
    _check(backend, version, (0,))
    weight = (
        default_weight_observer if backend == "qnnpack" else default_per_channel_weight_observer
    )
    halved = backend in ("x86", "fbgemm")
    return QConfig(HistogramObserver.with_args(reduce_range=halved), weight)


def get_default_qat_qconfig(backend: str = "x86", version: int = 1) -> QConfig:
    """The usual QConfig for training with fake quantizers; see `get_default_qconfig`."""
    _check(backend, version, (0, 1))
    maker: Any = FusedMovingAvgObsFakeQuantize if version else FakeQuantize
    options: dict[str, Any] = (
        {} if backend == "onednn" else {"reduce_range": backend in ("x86", "fbgemm")}
    )
    activation = maker.with_args(
        observer=MovingAverageMinMaxObserver, quant_min=0, quant_max=255, **options
    )
    if backend == "qnnpack":
        weight = default_fused_wt_fake_quant if version else default_weight_fake_quant
    elif version:
        weight = default_fused_per_channel_wt_fake_quant
    else:
        weight = default_per_channel_weight_fake_quant
    return QConfig(activation, weight)


def qconfig_equals(q1: QConfigAny, q2: QConfigAny) -> bool:
    """Do both make the same observers with the same arguments?"""
    if q1 is None or q2 is None:
        return q1 is q2
    return all(_maker(a) == _maker(b) for a, b in zip(q1, q2))


def _maker(each: Any) -> tuple:
    partial = getattr(each, "p", None)
    return (each, {}) if partial is None else (partial.func, partial.keywords)
