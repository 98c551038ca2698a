"""The names of PyTorch's file format: a zip of a pickle and of the storages it refers to.

`archive/data.pkl` holds the object; where a tensor stands, it calls `_rebuild_tensor_v2` with the
name of a storage, `archive/data/<key>`, and with offset, size and stride in it. Dtypes younger than
typed storages are read from an untyped one, by `_rebuild_tensor_v3`.
"""

from __future__ import annotations

from labtorch.backend import dtypes

KINDS = {
    "FloatStorage": dtypes.float32,
    "DoubleStorage": dtypes.float64,
    "HalfStorage": dtypes.float16,
    "BFloat16Storage": dtypes.bfloat16,
    "LongStorage": dtypes.int64,
    "IntStorage": dtypes.int32,
    "ShortStorage": dtypes.int16,
    "CharStorage": dtypes.int8,
    "ByteStorage": dtypes.uint8,
    "BoolStorage": dtypes.bool,
    "ComplexFloatStorage": dtypes.complex64,
    "ComplexDoubleStorage": dtypes.complex128,
    "QInt8Storage": dtypes.qint8,
    "QUInt8Storage": dtypes.quint8,
    "QInt32Storage": dtypes.qint32,
}
NAMES = {kind: name for name, kind in KINDS.items()}
UNTYPED = ("torch.storage", "UntypedStorage")
REBUILD_TENSOR = ("torch._utils", "_rebuild_tensor_v2")
REBUILD_UNTYPED = ("torch._utils", "_rebuild_tensor_v3")
REBUILD_QUANTIZED = ("torch._utils", "_rebuild_qtensor")
REBUILD_PARAMETER = ("torch._utils", "_rebuild_parameter")
