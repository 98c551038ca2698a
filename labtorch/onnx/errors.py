"""What can go wrong with an export."""


class OnnxExporterError(RuntimeError):
    """The model cannot be exported; the message says why, and what would work."""


class UnsupportedOperatorError(OnnxExporterError):
    """An op of the model has no counterpart in ONNX."""


class TracerWarning(UserWarning):
    """Something that depended on the inputs became a constant of the exported graph."""
