"""Eight-bit models: observers, scales and zero points, int8 modules, training for them.

What a converted model is made of, for those who export it or read it:

- `Quantize` and `DeQuantize`, at its ends: `scale` and `zero_point` (tensors of one number) and
  `dtype` (torch.quint8, or qint8) of what comes in.
- `quantized.Linear`, `Conv1d`, `Conv2d`, `Conv3d`, and these with `relu = True` (`LinearReLU`,
  `ConvReLU2d`, ...): `weight()` is a quantized tensor, `bias()` floats or None, `scale` and
  `zero_point` numbers, the grid of the result, whose dtype is the input's. Convolutions also have
  `stride`, `padding`, `dilation`, `groups` and `padding_mode`, as the float ones do.
- `dynamic.Linear`, `LSTM`, `GRU` and the cells: floats come in and go out. Linear has `weight()`
  and `bias()`; LSTM and GRU have `get_weight()` and `get_bias()`, by the float layer's names. The
  input is laid on the grid of quint8, from 0 to 127, that its own range makes.
- `QFunctional` has `scale` and `zero_point`; layers of `quantized.rounded` compute in floats, then
  round to theirs. ReLU, pooling, flatten, view and cat keep the grid of their input.

A quantized tensor x stands for scale * (integer - zero_point). It has `x.int_repr()`, `x.q_scale()`
and `x.q_zero_point()`; a weight with a scale per channel (`x.qscheme()` is
torch.per_channel_affine) has `x.q_per_channel_scales()`, `x.q_per_channel_zero_points()` and
`x.q_per_channel_axis()`. Ops see `x.codes`, an ordinary tensor of integers, and `x.grid`, a
`labtorch.ops.quantization.Grid`.
"""

from typing import TYPE_CHECKING as _TYPE_CHECKING

from labtorch.backend.absent import explains as _explains
from labtorch.quantization import (
    dynamic,
    fake_quantize,
    fuser_method_mappings,
    intrinsic,
    observer,
    qat,
    qconfig,
    quantization_mappings,
    quantized,
    stubs,
)
from labtorch.quantization.fake_quantize import (
    FakeQuantize,
    FakeQuantizeBase,
    FixedQParamsFakeQuantize,
    FusedMovingAvgObsFakeQuantize,
    default_affine_fixed_qparams_fake_quant,
    default_dynamic_fake_quant,
    default_embedding_fake_quant,
    default_fake_quant,
    default_fixed_qparams_range_0to1_fake_quant,
    default_fixed_qparams_range_neg1to1_fake_quant,
    default_fused_act_fake_quant,
    default_fused_per_channel_wt_fake_quant,
    default_fused_wt_fake_quant,
    default_histogram_fake_quant,
    default_per_channel_weight_fake_quant,
    default_symmetric_fixed_qparams_fake_quant,
    default_weight_fake_quant,
    disable_fake_quant,
    disable_observer,
    enable_fake_quant,
    enable_observer,
    fused_per_channel_wt_fake_quant_range_neg_127_to_127,
    fused_wt_fake_quant_range_neg_127_to_127,
)
from labtorch.quantization.fuse_modules import fuse_known_modules, fuse_modules, fuse_modules_qat
from labtorch.quantization.fuser_method_mappings import (
    fuse_conv_bn,
    fuse_conv_bn_relu,
    fuse_linear_bn,
    get_fuser_method,
)
from labtorch.quantization.observer import (
    FixedQParamsObserver,
    HistogramObserver,
    MinMaxObserver,
    MovingAverageMinMaxObserver,
    MovingAveragePerChannelMinMaxObserver,
    NoopObserver,
    ObserverBase,
    PerChannelMinMaxObserver,
    PlaceholderObserver,
    RecordingObserver,
    ReuseInputObserver,
    UniformQuantizationObserverBase,
    default_affine_fixed_qparams_observer,
    default_debug_observer,
    default_dynamic_quant_observer,
    default_fixed_qparams_range_0to1_observer,
    default_fixed_qparams_range_neg1to1_observer,
    default_float_qparams_observer,
    default_histogram_observer,
    default_observer,
    default_per_channel_weight_observer,
    default_placeholder_observer,
    default_reuse_input_observer,
    default_symmetric_fixed_qparams_observer,
    default_weight_observer,
    get_observer_state_dict,
    load_observer_state_dict,
    per_channel_weight_observer_range_neg_127_to_127,
    weight_observer_range_neg_127_to_127,
)
from labtorch.quantization.qconfig import (
    QConfig,
    QConfigAny,
    default_activation_only_qconfig,
    default_debug_qconfig,
    default_dynamic_qat_qconfig,
    default_dynamic_qconfig,
    default_embedding_qat_qconfig,
    default_per_channel_qconfig,
    default_per_channel_symmetric_qnnpack_qat_qconfig,
    default_per_channel_symmetric_qnnpack_qconfig,
    default_qat_qconfig,
    default_qat_qconfig_v2,
    default_qconfig,
    default_quint8_weight_qconfig,
    default_reuse_input_qconfig,
    default_symmetric_qnnpack_qat_qconfig,
    default_symmetric_qnnpack_qconfig,
    default_weight_only_qconfig,
    float16_dynamic_qconfig,
    float16_static_qconfig,
    float_qparams_weight_only_qconfig,
    get_default_qat_qconfig,
    get_default_qconfig,
    per_channel_dynamic_qconfig,
    qconfig_equals,
)
from labtorch.quantization.quantization_mappings import (
    DEFAULT_DYNAMIC_QUANT_MODULE_MAPPINGS,
    DEFAULT_MODULE_TO_ACT_POST_PROCESS,
    DEFAULT_QAT_MODULE_MAPPINGS,
    DEFAULT_STATIC_QUANT_MODULE_MAPPINGS,
    get_default_dynamic_quant_module_mappings,
    get_default_qat_module_mappings,
    get_default_qconfig_propagation_list,
    get_default_static_quant_module_mappings,
    get_dynamic_quant_module_class,
    get_embedding_qat_module_mappings,
    get_embedding_static_quant_module_mappings,
    get_static_quant_module_class,
)
from labtorch.quantization.quantize import (
    add_quant_dequant,
    convert,
    default_eval_fn,
    prepare,
    prepare_qat,
    propagate_qconfig_,
    quantize,
    quantize_dynamic,
    quantize_qat,
    swap_module,
)
from labtorch.quantization.report import Report, report
from labtorch.quantization.stubs import DeQuantStub, QuantStub, QuantWrapper

if not _TYPE_CHECKING:
    __getattr__ = _explains("quantization", globals(), ("quantize_fx",), most=6, cutoff=0.6)
