"""Exported models timed in onnxruntime: float against int8.

    python tests/benchmarks/export.py [--threads 1] [--rounds 31] [--json FILE]

The document's CNN and LSTM. The two files take turns, and who goes first alternates, so that a
change in the machine's speed meets both. The figure is the median over rounds of the time of the
float file over that of the int8 file: above 1, int8 is faster. The sizes are those of the files.
Weights are random: time does not depend on them. The outputs must be near: a fast wrong answer
does not count.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import onnxruntime

import labtorch as torch
from labtorch import nn
from labtorch import quantization as q

BATCHES = (1, 16, 128)
CALLS = {1: 40, 16: 10, 128: 3}  # timed in a round


class CNN(nn.Module):
    """The document's, of images of 24 x 24."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(nn.Conv2d(1, 32, 3, 1, 1), nn.ReLU())
        self.conv2 = nn.Sequential(nn.Conv2d(32, 64, 3, 1, 1), nn.ReLU())
        self.pool = nn.MaxPool2d(2, 2)
        self.fc1 = nn.Sequential(nn.Linear(64 * 6 * 6, 128), nn.ReLU())
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x: Any) -> Any:
        x = self.pool(self.conv2(self.pool(self.conv1(x))))
        return self.fc2(self.fc1(x.view(-1, 64 * 6 * 6)))


class LSTM(nn.Module):
    """The document's, of sequences of 20 x 10."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.fc = nn.LSTM(10, 50, 2, batch_first=True), nn.Linear(50, 2)

    def forward(self, x: Any) -> Any:
        return self.fc(self.lstm(x)[0][:, -1])


def static(model: Any, images: Any) -> Any:
    fused = q.fuse_modules(
        model, [[f"{name}.0", f"{name}.1"] for name in ("conv1", "conv2", "fc1")]
    )
    wrapped = q.QuantWrapper(fused)
    wrapped.qconfig = q.get_default_qconfig("x86")
    return q.quantize(wrapped, lambda m, x: m(x), [images])


def dynamic(model: Any, x: Any) -> Any:
    return q.quantize_dynamic(model)


PROGRAMS: dict[str, tuple[type, tuple[int, ...], Callable]] = {
    "cnn static": (CNN, (1, 24, 24), static),
    "cnn dynamic": (CNN, (1, 24, 24), dynamic),
    "lstm dynamic": (LSTM, (20, 10), dynamic),
}


def session(data: bytes, threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def seconds(run: Callable[[], Any], calls: int) -> float:
    begun = time.perf_counter()
    for _ in range(calls):
        run()
    return (time.perf_counter() - begun) / calls


def compared(large: Any, small: Any, x: np.ndarray, rounds: int) -> dict[str, float]:
    runs = [lambda each=each: each.run(None, {"x": x})[0] for each in (large, small)]
    a, b = (run() for run in runs)
    if np.abs(a - b).max() > 0.1 * np.abs(a).max():
        raise SystemExit(f"the outputs differ by {np.abs(a - b).max():.3g}")
    calls, times = CALLS[len(x)], [[], []]  # type: ignore[var-annotated]
    for turn in range(rounds):
        for which in (0, 1) if turn % 2 else (1, 0):
            times[which].append(seconds(runs[which], calls))
    ratio = median(p / r for p, r in zip(*times))
    return {"float_ms": 1e3 * median(times[0]), "int8_ms": 1e3 * median(times[1]), "ratio": ratio}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--json")
    given, found = parser.parse_args(), {}
    warnings.filterwarnings("ignore", ".*deprecated|.*reduce_range")
    torch.manual_seed(0)
    draw = np.random.default_rng(0)
    print(f"{'':14}{'batch':>6}{'float ms':>10}{'int8 ms':>10}{'ratio':>7}{'size':>7}")
    for name, (kind, shape, quantized) in PROGRAMS.items():
        model = kind().eval()
        x = draw.standard_normal((128, *shape)).astype("float32")
        small = quantized(model, torch.tensor(x))
        example, axes = (torch.tensor(x[:2]),), {"x": {0: "batch"}}
        files = [
            torch.onnx.export(each, example, input_names=["x"], dynamic_axes=axes)
            .model_proto.SerializeToString()
            for each in (model, small)
        ]  # fmt: skip
        size = len(files[1]) / len(files[0])
        large, little = (session(data, given.threads) for data in files)
        for n in BATCHES:
            row = compared(large, little, x[:n], given.rounds) | {"size": size}
            found[f"{name} {n}"] = row
            print(
                f"{name:14}{n:6}{row['float_ms']:10.3f}{row['int8_ms']:10.3f}"
                f"{row['ratio']:7.2f}{size:7.3f}"
            )
    if given.json:
        with open(given.json, "w") as file:
            json.dump(found, file, indent=1)


if __name__ == "__main__":
    main()
