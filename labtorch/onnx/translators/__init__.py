"""One translator an op, a file per family, as in `labtorch.ops`."""

from labtorch.onnx.translators import (
    activation,
    arithmetic,
    attention,
    compare,
    conv,
    indexing,
    linear,
    loss,
    normalization,
    pooling,
    quantization,
    recurrent,
    reduction,
    shape,
)
