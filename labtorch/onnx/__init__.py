"""Models as ONNX files, which other runtimes run: torch.onnx's names."""

from labtorch.onnx import errors
from labtorch.onnx.errors import OnnxExporterError, TracerWarning, UnsupportedOperatorError
from labtorch.onnx.exporter import TrainingMode, export
from labtorch.onnx.program import ONNXProgram

__all__ = [
    "ONNXProgram",
    "OnnxExporterError",
    "TracerWarning",
    "TrainingMode",
    "UnsupportedOperatorError",
    "errors",
    "export",
]
