"""An exported model: its protobuf, how it is saved, and how onnxruntime runs it."""

from __future__ import annotations

from typing import Any

import numpy as np

from labtorch.engine.variable import wrap
from labtorch.io.atomic import written
from labtorch.onnx.errors import OnnxExporterError


class ONNXProgram:
    """What `export` returns: `model_proto`, to be saved, or called through onnxruntime."""

    def __init__(
        self, model_proto: Any, feed: Any = None, expected: list[np.ndarray] | None = None
    ) -> None:
        self.model_proto = model_proto
        self._feed = feed  # from the model's arguments to the arrays that the graph takes
        self._expected = expected or []  # what the model gave for the example inputs
        self._session: Any = None

    def __repr__(self) -> str:
        graph = self.model_proto.graph
        return (
            f"ONNXProgram({len(graph.node)} nodes, inputs={[x.name for x in graph.input]}, "
            f"outputs={[x.name for x in graph.output]})"
        )

    def save(self, destination: Any) -> None:
        """Write the model to an open binary file, or to a path, whole or not at all."""
        if self.model_proto.ByteSize() > 2**31 - 1:
            raise OnnxExporterError("onnx.export: a model of more than 2 GB does not fit one file")
        data = self.model_proto.SerializeToString()
        if hasattr(destination, "write"):
            destination.write(data)
        else:
            with written(destination) as file:
                file.write(data)

    def __call__(self, *args: Any, **kwargs: Any) -> tuple:
        """The outputs that onnxruntime computes for the model's arguments, as tensors."""
        feed = self._feed(args, kwargs)
        return tuple(wrap(np.asarray(each)) for each in self.session().run(None, feed))

    def session(self) -> Any:
        """The onnxruntime session on the CPU, made when first asked for."""
        if self._session is None:
            try:
                import onnxruntime
            except ModuleNotFoundError:
                raise ModuleNotFoundError(
                    'running an exported model needs onnxruntime: pip install "labtorch[export]"',
                    name="onnxruntime",
                ) from None
            self._session = onnxruntime.InferenceSession(
                self.model_proto.SerializeToString(), providers=["CPUExecutionProvider"]
            )
        return self._session

    def verify(self, feed: dict[str, np.ndarray], rtol: float = 1e-4, atol: float = 1e-5) -> float:
        """Compare onnxruntime with the model on the example inputs; the largest difference."""
        found = self.session().run(None, feed)
        worst = 0.0
        for info, got, want in zip(self.model_proto.graph.output, found, self._expected):
            if got.shape != want.shape or got.dtype != want.dtype:
                raise OnnxExporterError(
                    f"onnx.export: output '{info.name}' is {got.dtype}{list(got.shape)} in "
                    f"onnxruntime and {want.dtype}{list(want.shape)} in the model"
                )
            if not np.allclose(got, want, rtol, atol, equal_nan=True):
                apart = np.abs(got.astype(np.float64) - want.astype(np.float64)).max()
                raise OnnxExporterError(
                    f"onnx.export: output '{info.name}' of onnxruntime differs from the model's "
                    f"by up to {apart:.3g}"
                )
            if got.size:
                with np.errstate(invalid="ignore"):
                    apart = np.abs(got.astype(np.float64) - want.astype(np.float64))
                worst = max(worst, float(np.nan_to_num(apart).max()))
        return worst
