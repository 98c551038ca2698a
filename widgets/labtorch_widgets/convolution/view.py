"""The widget of the convolution explorer."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..features.raster import floats, largest
from ..shared.cursor import TimeCursor
from ..shared.formula import mathml
from ..shared.numbers import plain
from ..shared.source import Finished
from ..shared.view import View, bundle
from .presets import PRESETS, name_of, preset, resized
from .still import draw

MODES = ("convolution", "max", "average")
MOST_PIXELS, MOST_KERNEL = 64, 7
RANGES = {"stride": (1, 8), "padding": (0, 8), "dilation": (1, 6), "window": (1, 7)}


class Nothing(Finished):
    """The recording of a view that stands by itself."""

    step_count = 0

    def __init__(self) -> None:
        self.steps: list[int] = []
        self.losses: list[tuple[int, float]] = []

    def graph(self, step: int = -1) -> Any:
        raise LookupError("nothing is recorded here")

    snapshot = graph


class ConvolutionView(View):
    """A kernel on its way over a picture: see `labtorch_widgets.convolution`."""

    _esm = bundle("convolution.js")
    _css = bundle("convolution.css")

    def __init__(
        self,
        image: Any,
        kernel: Any = None,
        *,
        stride: int | None = None,
        padding: int = 0,
        dilation: int = 1,
        flip: bool = False,
        mode: str = "convolution",
        window: int = 2,
        lang: str | None = None,
    ) -> None:
        from labtorch.observe import convolve

        self.cursor = TimeCursor(Nothing())
        self._engine = convolve
        self.image = convolve.picture(image)
        if max(self.image.shape) > MOST_PIXELS:
            raise ValueError(
                f"the picture is {' x '.join(map(str, self.image.shape))}, and at most "
                f"{MOST_PIXELS} x {MOST_PIXELS} can be explored: cut out a part of it"
            )
        self.kernel = self._read_kernel("vertical" if kernel is None else kernel)
        self.flip, self.mode = bool(flip), self._known_mode(mode)
        self.window = self._within("window", window)
        self.stride = None if stride is None else self._within("stride", stride)
        self.padding = self._within("padding", padding)
        self.dilation = self._within("dilation", dilation)
        super().__init__(self.cursor, lang=lang)
        self.commands |= {
            "set": self.choose,
            "preset": self.choose_kernel,
            "cell": self._on_cell,
            "size": self._on_size,
        }
        self.refresh(now=True)

    # What a learner does, also from Python

    def choose(self, name: str, value: Any) -> None:
        """Set "stride" (None: the default), "padding", "dilation", "window", "flip" or "mode"."""
        with self._lock:
            if name == "mode":
                self.mode = self._known_mode(value)
                self.stride = None
            elif name == "flip":
                self.flip = bool(value)
            elif name == "stride" and value is None:
                self.stride = None
            else:
                setattr(self, name, self._within(name, value))
            self.refresh(now=True)

    def choose_kernel(self, kernel: Any) -> None:
        """Take another kernel: an array, or a preset's name."""
        with self._lock:
            self.kernel = self._read_kernel(kernel)
            self.refresh(now=True)

    @property
    def output(self) -> np.ndarray | None:
        """What the engine made of the picture; None where the window does not fit into it."""
        with np.errstate(all="ignore"):
            if self._fits() is not None:
                return None
            if self.mode == "convolution":
                return self._engine.correlate(
                    self.image, self._applied(), self._step(), self.padding, self.dilation
                )
            kind: Any = self.mode
            return self._engine.pool(self.image, kind, self.window, self._step(), self.padding)

    # What the base asks for

    def make_frame(self) -> dict[str, Any]:
        output, problem = self.output, self._fits()
        size = self._reach()
        sides = [self._out(m, k) for m, k in zip(self.image.shape, size, strict=True)]
        return {
            "time": self.cursor.span(),
            "mode": self.mode,
            "image": self._map(self.image),
            "output": None if output is None else self._map(output),
            "kernel": plain(self.kernel.tolist(), 7),
            "applied": plain(self._applied().tolist(), 7),
            "preset": name_of(self.kernel),
            "presets": list(PRESETS),
            "flip": self.flip,
            "stride": self._step(),
            "omitted": self.stride is None,
            "padding": self.padding,
            "dilation": self._spacing(),
            "window": self.window,
            "size": list(size),
            "problem": problem,
            "formula": self._formula(),
            "sizeFormulas": [
                self._size_formula(m, k, out)
                for m, k, out in zip(self.image.shape, size, sides, strict=True)
            ][: 1 if self.image.shape[0] == self.image.shape[1] and size[0] == size[1] else 2],
            "sides": sides,
            "alternatives": self._alternatives(),
        }

    def still(self) -> str:
        with self._lock:
            return draw(self.image, self.output, self.mode, self.frame, self.language)

    def summary(self) -> str:
        return "ConvolutionView()"

    # Inside

    def _step(self) -> int:
        if self.stride is not None:
            return self.stride
        return 1 if self.mode == "convolution" else self.window

    def _spacing(self) -> int:
        return self.dilation if self.mode == "convolution" else 1

    def _reach(self) -> tuple[int, int]:
        """Rows and columns of the kernel or of the pooling window."""
        if self.mode == "convolution":
            return self.kernel.shape[0], self.kernel.shape[1]
        return self.window, self.window

    def _applied(self) -> np.ndarray:
        return np.ascontiguousarray(self.kernel[::-1, ::-1]) if self.flip else self.kernel

    def _out(self, size: int, kernel: int, stride: int | None = None) -> int:
        room = size + 2 * self.padding - self._spacing() * (kernel - 1) - 1
        return room // (stride or self._step()) + 1

    def _fits(self) -> dict[str, Any] | None:
        """Why there is no output: a sentence's key, and its numbers."""
        rows, columns = (m + 2 * self.padding for m in self.image.shape)
        tall, wide = (self._spacing() * (k - 1) + 1 for k in self._reach())
        if tall > rows or wide > columns:
            numbers = {"rows": rows, "columns": columns, "tall": tall, "wide": wide}
            return {"key": "tooLarge", **numbers}
        if self.mode != "convolution" and self.padding > self.window // 2:
            return {"key": "tooMuchPadding", "padding": self.padding, "most": self.window // 2}
        return None

    def _map(self, array: np.ndarray) -> dict[str, Any]:
        size = list(array.shape)
        limit = plain(largest(array), 7)
        return {"size": size, "told": size, "values": floats(array), "limit": limit}

    def _formula(self) -> dict[str, str]:
        place = r"x_{i s + u d - p,\; j s + v d - p}"
        if self.mode == "max":
            latex = r"y_{i j} = \max_{u, v}\; x_{i s + u - p,\; j s + v - p}"
        elif self.mode == "average":
            latex = r"y_{i j} = \frac{1}{k^{2}} \sum_{u, v} x_{i s + u - p,\; j s + v - p}"
        elif self.flip:
            rows, columns = (k - 1 for k in self.kernel.shape)
            latex = rf"y_{{i j}} = \sum_{{u, v}} w_{{{rows} - u,\; {columns} - v}}\; {place}"
        else:
            latex = rf"y_{{i j}} = \sum_{{u, v}} w_{{u v}}\; {place}"
        return {"latex": latex, "mathml": mathml(latex)}

    def _size_formula(self, size: int, kernel: int, out: int) -> dict[str, str]:
        padding, spacing, step = self.padding, self._spacing(), self._step()
        named = r"\left\lfloor \frac{n + 2p - d (k - 1) - 1}{s} \right\rfloor + 1"
        put_in = (
            rf"\left\lfloor \frac{{{size} + 2 \cdot {padding} - {spacing} ({kernel} - 1) - 1}}"
            rf"{{{step}}} \right\rfloor + 1"
        )
        latex = f"{named} = {put_in} = {max(out, 0)}"
        return {"latex": latex, "mathml": mathml(latex)}

    def _alternatives(self) -> dict[str, int] | None:
        """Of a pooling: the size without a stride in the formula, and with PyTorch's default."""
        if self.mode == "convolution":
            return None
        size, window = self.image.shape[1], self.window
        told = {"size": size, "window": window}
        return told | {
            "one": self._out(size, window, 1),
            "default": self._out(size, window, window),
        }

    def _read_kernel(self, kernel: Any) -> np.ndarray:
        if isinstance(kernel, str):
            return preset(kernel)
        array = self._engine.picture(kernel)
        if max(array.shape) > MOST_KERNEL:
            raise ValueError(f"a kernel has at most {MOST_KERNEL} x {MOST_KERNEL} elements")
        if not np.isfinite(array).all():
            raise ValueError("a kernel is made of finite numbers")
        return array

    def _known_mode(self, mode: Any) -> str:
        if mode not in MODES:
            raise ValueError(f"the mode is one of {', '.join(MODES)}, not {mode!r}")
        return mode

    def _within(self, name: str, value: Any) -> int:
        if name not in RANGES:
            raise ValueError(f"nothing called {name!r} can be set")
        least, most = RANGES[name]
        if isinstance(value, bool) or int(value) != value or not least <= value <= most:
            raise ValueError(f"{name} is a whole number from {least} to {most}, not {value!r}")
        return int(value)

    # Messages from the browser

    def _on_cell(self, row: int, column: int, value: Any) -> None:
        number = float(str(value).strip().replace("−", "-").replace(",", "."))
        if not math.isfinite(number):
            raise ValueError("a kernel is made of finite numbers")
        with self._lock:
            if not (0 <= row < self.kernel.shape[0] and 0 <= column < self.kernel.shape[1]):
                raise IndexError("no such element of the kernel")
            kernel = self.kernel.copy()
            kernel[row, column] = number
            self.choose_kernel(kernel)

    def _on_size(self, size: Any) -> None:
        size = int(size)
        if not 1 <= size <= MOST_KERNEL:
            raise ValueError(f"a kernel has 1 to {MOST_KERNEL} rows")
        self.choose_kernel(resized(self.kernel, size))
