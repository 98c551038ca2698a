"""The widget of the feature maps."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
import traitlets

from ..shared.cursor import TimeCursor, nearest
from ..shared.formula import mathml
from ..shared.numbers import plain
from ..shared.view import View, bundle
from . import pixel, raster
from .layers import LAYERS, Layer, layers_of
from .receptive import receptive_field
from .still import draw

SAMPLES = 4  # of the training batch that are kept of each step
MOST_INPUTS = 16
LIMIT = 2 << 20  # bytes kept of one array
ROWS = 8  # channels of each layer in the overview, at a time
COLUMNS = 14  # layers told at a time; the browser asks for those in sight
SIDE = 24  # pixels of a map in the overview; larger ones are told as means of blocks
GRID = 32  # channels of the opened layer shown at a time
EXACT = 48  # rows and columns up to which the opened map's own numbers are told
RANGES = ("map", "layer", "model")
TRIES = 12  # kept steps looked through for one with these maps


class FeatureView(View):
    """Feature maps and kernels, layer by layer: see `labtorch_widgets.features`."""

    _esm = bundle("features.js")
    _css = bundle("features.css")

    scene = traitlets.Dict().tag(sync=True)  # what stays the same from step to step

    def __init__(
        self,
        cursor: TimeCursor,
        *,
        model: Any = None,
        inputs: tuple[Any, ...] | None = None,
        samples: int = SAMPLES,
        lang: str | None = None,
        timeline: bool = True,
    ) -> None:
        self._following: Any = None
        self._key: str | None = None  # of the graph that the layers are of
        self._layers: list[Layer] = []
        self._sample, self._range = 0, "layer"
        self._first_channel, self._first_layer = 0, 0
        self._opened: str | None = None  # a layer's key
        self._channel, self._pixel, self._input, self._page = 0, (0, 0), 0, 0
        self._tabled = self._through = False
        lens = {"ops": LAYERS, "limit": LIMIT, "samples": samples, "backward": False}
        if inputs is None:
            self.recording: Any = cursor.recording
            self._end = self.recording.look_into(**lens).close
            self.recording.measure_next()
        else:
            from labtorch import observe

            training: Any = cursor.recording
            self._following = observe.Following(training, model, *inputs, lens=lens)
            self.recording = self._following.recording
            self._end = self._following.close
        weakref.finalize(self, self._end)
        super().__init__(cursor, lang=lang, timeline=timeline)
        self.commands |= {
            "sample": self.choose_sample,
            "range": self.choose_range,
            "channels": self._on_channels,
            "layers": self._on_layers,
            "open": self.open_map,
            "close": self.close_map,
            "pixel": self.choose_pixel,
            "input": self._on_input,
            "page": self._on_page,
            "through": self._on_through,
            "table": self._on_table,
        }
        self.refresh(now=True)

    # What a learner does, also from Python

    def choose_sample(self, index: int) -> None:
        """Show the maps of sample `index` of the batch, or of the inputs."""
        self._change(_sample=max(0, int(index)))

    def choose_range(self, scope: str) -> None:
        """Let colours span each "map" by itself, each "layer", or the whole "model"."""
        if scope not in RANGES:
            raise ValueError(f"the range is one of {', '.join(RANGES)}, not {scope!r}")
        self._change(_range=scope)

    def open_map(self, layer: str, channel: int = 0) -> None:
        """Enlarge a channel's map of the layer with key `layer` (see `layers`)."""
        with self._lock:
            found = self._layer(layer)
            if found is None:
                raise LookupError(f"no layer {layer!r}; there are {', '.join(self.layers)}")
            channels, rows, columns = found.shape
            channel = min(max(0, int(channel)), channels - 1)
            if layer != self._opened:
                self._pixel, self._input = (rows // 2, columns // 2), 0
            self._opened, self._channel = layer, channel
            self._page = channel // GRID * GRID
            self.refresh(now=True)

    def close_map(self) -> None:
        """Put the enlarged map away."""
        self._change(_opened=None)

    def choose_pixel(self, row: int, column: int) -> None:
        """Explain this output pixel of the opened map."""
        self._change(_pixel=(int(row), int(column)))

    @property
    def layers(self) -> list[str]:
        """The keys of the layers with maps, in the order of the network."""
        return [layer.key for layer in self._layers]

    def close(self) -> None:
        self._end()
        super().close()

    # What the base asks for

    def make_frame(self) -> dict[str, Any]:
        frame: dict[str, Any] = {
            "time": self.cursor.span(),
            "range": self._range,
            "rows": ROWS,
            "note": None,
            "error": None,
            "layers": [],
            "opened": None,
            "table": None,
        }
        if self._following is not None and (error := self._following.error) is not None:
            frame["error"] = f"{type(error).__name__}: {error}"[:300]
        step = self._find()
        if step is None:
            return frame | {"note": self._why_nothing()}
        held = [self.recording.arrays(layer.node, step) for layer in self._layers]
        kept = [layer.kept_samples(each) for layer, each in zip(self._layers, held, strict=True)]
        samples = max(kept)
        sample = min(self._sample, samples - 1)
        maps = [layer.output(each, sample) for layer, each in zip(self._layers, held, strict=True)]
        limit = self._model_limit(maps)
        first = min(self._first_layer, max(0, len(maps) - COLUMNS))
        most = max(layer.shape[0] for layer in self._layers)
        top = min(self._first_channel, (most - 1) // ROWS * ROWS)
        return frame | {
            "shown": step,
            "sample": sample,
            "samples": samples,
            "top": top,
            "most": most,
            "limit": plain(limit),
            "layers": [
                self._overview(at, maps[at], limit, top)
                for at in range(first, min(first + COLUMNS, len(maps)))
            ],
            "opened": self._open(step, sample, maps, held, limit),
            "table": self._table(maps) if self._tabled else None,
        }

    def still(self) -> str:
        with self._lock:
            return draw(self.scene, self.frame, self.language)

    def summary(self) -> str:
        return "FeatureView()"

    # Inside

    def _change(self, **chosen: Any) -> None:
        with self._lock:
            for name, value in chosen.items():
                setattr(self, name, value)
            self.refresh(now=True)

    def _layer(self, key: str | None) -> Layer | None:
        return next((layer for layer in self._layers if layer.key == key), None)

    def _find(self) -> int | None:
        """The kept step nearest to the cursor's that has maps; its graph's layers are set."""
        steps = self.recording.steps_with_arrays
        wanted = None if self.cursor.live else self.cursor.step
        for _ in range(min(TRIES, len(steps))):
            step = steps[-1] if wanted is None else nearest(steps, wanted)
            steps.remove(step)
            try:
                graph = self.recording.graph(step)
                layers = self._layers if graph["key"] == self._key else layers_of(graph)
                if not any(self.recording.arrays(layer.node, step) for layer in layers):
                    continue
            except LookupError:  # let go since the list was made
                continue
            if graph["key"] != self._key:
                self._key, self._layers = graph["key"], layers
                self._graph = graph
                self._describe()
            return step
        return None

    def _describe(self) -> None:
        nodes = self._graph["nodes"]
        self.scene = {
            "columns": COLUMNS,
            "layers": [
                {
                    "key": layer.key,
                    "kind": layer.kind,
                    "op": layer.op,
                    "name": layer.name,
                    "type": layer.type,
                    "shape": list(layer.shape),
                    "line": layer.line,
                    "formula": self._formula(nodes[layer.node]) if layer.op else None,
                }
                for layer in self._layers
            ],
        }

    @staticmethod
    def _formula(node: Any) -> dict[str, str] | None:
        latex = node["formula"]
        return {"latex": latex, "mathml": mathml(latex)} if latex else None

    def _why_nothing(self) -> str:
        """The key of the sentence that says why there are no maps."""
        steps = self.recording.steps
        if self._following is not None and self._following.error is not None:
            return "failed"
        if not steps:
            return "nothing"
        if not layers_of(self.recording.graph(steps[-1])):
            return "noConvolution"
        return "notKept" if self.recording.thread is None else "waiting"

    def _model_limit(self, maps: list[Any]) -> float | None:
        if self._range != "model":
            return None
        return max(raster.largest(each) for each in maps if each is not None)

    def _limits(self, maps: np.ndarray, part: np.ndarray, limit: float | None) -> list[float]:
        """For each map of `part`, the magnitude that has the strongest colour."""
        if self._range == "map":
            return raster.largest_each(part)
        if limit is None:
            limit = raster.largest(maps)
        return [limit] * len(part)

    def _overview(self, at: int, maps: Any, limit: float | None, top: int) -> dict[str, Any]:
        told: dict[str, Any] = {"at": at, "maps": None}
        if maps is None:
            return told
        part = raster.coarse(maps[top : top + ROWS], SIDE)
        limits = self._limits(maps, maps[top : top + ROWS], limit)
        return told | {
            "maps": raster.shades(part, limits),
            "size": list(part.shape),
            "limits": plain(limits),
        }

    def _open(
        self, step: int, sample: int, maps: list[Any], held: list[Any], limit: float | None
    ) -> dict[str, Any] | None:
        """All that is told of the opened map."""
        layer = self._layer(self._opened)
        if layer is None:
            return None
        at = self._layers.index(layer)
        y = maps[at]
        told: dict[str, Any] = {"at": at, "channel": self._channel, "missing": y is None}
        if y is None:
            return told
        row = min(max(0, self._pixel[0]), y.shape[1] - 1)
        column = min(max(0, self._pixel[1]), y.shape[2] - 1)
        part = slice(self._page, self._page + GRID)
        grid = raster.coarse(y[part], SIDE)
        told |= {
            "page": self._page,
            "grid": {
                "maps": raster.shades(grid, self._limits(y, y[part], limit)),
                "size": list(grid.shape),
            },
            "map": self._map(y, self._channel, limit),
            "row": row,
            "column": column,
            "input": None,
            "pixel": None,
            "picture": None,
        }
        if layer.kind == "image":
            return told
        captured = held[at]
        explained = pixel.explain(layer, captured, sample, self._channel, row, column, self._input)
        told["pixel"] = plain(explained, 7)
        if (x := layer.maps(captured.arguments.get("input"), sample)) is not None:
            told["input"] = self._map(x, self._input_channel(layer, explained), limit)
        if layer.kind == "convolution":
            told["kernels"] = self._kernels(layer, captured)
        if self._through:
            told["picture"] = self._picture(step, layer, maps, row, column, limit)
        return told

    def _input_channel(self, layer: Layer, explained: dict[str, Any]) -> int:
        if layer.kind != "convolution" or "inputs" not in explained:
            return self._channel
        inputs = explained["inputs"]
        return inputs[min(self._input, len(inputs) - 1)]

    def _map(self, maps: np.ndarray, channel: int, limit: float | None) -> dict[str, Any]:
        """One map, enlarged: its numbers where it is small, else means of blocks."""
        channel = min(channel, len(maps) - 1)
        one = maps[channel : channel + 1]
        small = raster.coarse(one, EXACT)
        return {
            "channel": channel,
            "channels": len(maps),
            "size": list(one.shape[1:]),
            "told": list(small.shape[1:]),
            "values": raster.floats(small),
            "exact": small.shape == one.shape,
            "limit": plain(self._limits(maps, one, limit)[0]),
        }

    def _kernels(self, layer: Layer, captured: Any) -> dict[str, Any] | None:
        """The first kernel of each channel of the page, all on the layer's own scale."""
        arguments = dict(zip(captured.op.parameters, captured.args, strict=False))
        weight, groups = arguments["weight"], arguments["groups"]
        if weight is None:
            return None
        channels = len(captured.arguments["input"][0]) if layer.batched else weight.shape[1]
        shown = []
        for channel in range(self._page, min(self._page + GRID, layer.shape[0])):
            inputs = pixel.inputs_of(layer, weight, channels, groups, channel)
            kernels = pixel.kernels_of(layer, weight, inputs, groups, channel)
            if kernels is None:
                return None
            shown.append(kernels[min(self._input, len(inputs) - 1)])
        stack = np.stack(shown)
        limit = raster.largest(weight)
        limits = raster.largest_each(stack) if self._range == "map" else [limit] * len(stack)
        return {
            "maps": raster.shades(stack, limits),
            "size": list(stack.shape),
            "limit": plain(limit),
        }

    def _picture(
        self, step: int, layer: Layer, maps: list[Any], row: int, column: int, limit: float | None
    ) -> dict[str, Any] | None:
        """The picture that went in, with the box that the pixel looks at."""
        if self._layers[0].kind != "image" or maps[0] is None:
            return None
        taker = self._layers[0].node
        edges = (e for e in self._graph["edges"] if e["target"] == taker)
        source = next(e["source"] for e in edges if e["argument"] == "input")
        arrays = {one.node: self.recording.arrays(one.node, step) for one in self._layers}
        box = receptive_field(self._graph, layer, row, column, source, arrays.get)
        return self._map(maps[0], 0, limit) | {"box": None if box is None else list(box)}

    def _table(self, maps: list[Any]) -> list[dict[str, Any]]:
        """Of each layer, or of each channel of the opened one, what its maps are like."""
        layer = self._layer(self._opened)
        if layer is not None and (y := maps[self._layers.index(layer)]) is not None:
            return [
                {"name": str(i), "shape": list(y.shape[1:])} | _moments(m) for i, m in enumerate(y)
            ]
        return [
            {"name": layer.name, "shape": list(layer.shape)}
            | ({} if each is None else _moments(each))
            for layer, each in zip(self._layers, maps, strict=True)
        ]

    # Messages from the browser

    def _on_channels(self, first: int) -> None:
        self._change(_first_channel=max(0, int(first)) // ROWS * ROWS)

    def _on_layers(self, first: int) -> None:
        self._change(_first_layer=max(0, int(first)))

    def _on_input(self, index: int) -> None:
        self._change(_input=max(0, int(index)))

    def _on_page(self, first: int) -> None:
        layer = self._layer(self._opened)
        most = layer.shape[0] if layer else 1
        self._change(_page=min(max(0, int(first)), most - 1) // GRID * GRID)

    def _on_through(self, show: bool) -> None:
        self._change(_through=bool(show))

    def _on_table(self, show: bool) -> None:
        self._change(_tabled=bool(show))


def _moments(maps: np.ndarray) -> dict[str, Any]:
    finite = maps[np.isfinite(maps)]
    told: dict[str, Any] = dict.fromkeys(("min", "mean", "max"))
    if finite.size:
        told = {
            "min": float(finite.min()),
            "mean": float(finite.mean()),
            "max": float(finite.max()),
        }
    return plain(told | {"zeros": float((maps == 0).mean()), "odd": int(maps.size - finite.size)})
