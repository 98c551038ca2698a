"""Models as ONNX files, which other runtimes run: torch.onnx's names.

`export` runs the model on example arguments. `trace` writes down the ops of a run, `runs` repeats
it with other values and other sizes, `sizes` finds how numbers follow from sizes, and the functions
in `translators`, one an op, add nodes to a `graph`, which `proto` makes ONNX's.
"""

from labtorch.backend.absent import explains as _explains
from labtorch.onnx import errors
from labtorch.onnx.errors import OnnxExporterError, TracerWarning, UnsupportedOperatorError
from labtorch.onnx.exporter import TrainingMode, export
from labtorch.onnx.program import ONNXProgram
from labtorch.onnx.runs import is_in_onnx_export

__all__ = [
    "ONNXProgram",
    "OnnxExporterError",
    "TracerWarning",
    "TrainingMode",
    "UnsupportedOperatorError",
    "errors",
    "export",
    "is_in_onnx_export",
]
__getattr__ = _explains("onnx", globals())
