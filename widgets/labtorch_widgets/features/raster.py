"""Maps on their way to the browser: one byte a pixel on the signed scale, coarser where large."""

from __future__ import annotations

import base64
import math
import struct
import zlib

import numpy as np

from ..shared.colour import signed

ODD = 0  # the byte of NaN and of infinities; 1 to 255 are -limit to +limit, 128 is zero
ALARM = (240, 200, 197)


def coarse(maps: np.ndarray, side: int) -> np.ndarray:
    """The maps (channels, rows, columns) with at most `side` rows and columns: means of blocks."""
    for axis in (1, 2):
        size = maps.shape[axis]
        by = -(-size // side)
        if by > 1:
            starts = np.arange(0, size, by)
            counts = np.diff([*starts, size])
            sums = np.add.reduceat(maps, starts, axis)
            maps = sums / (counts[:, None] if axis == 1 else counts)
    return maps


def largest(maps: np.ndarray) -> float:
    """The largest finite magnitude; 0 where there is none."""
    if not maps.size:
        return 0.0
    most = float(max(maps.max(), -maps.min()))
    if math.isfinite(most):
        return most
    finite = maps[np.isfinite(maps)]
    return float(np.abs(finite).max()) if finite.size else 0.0


def largest_each(maps: np.ndarray) -> list[float]:
    return [largest(each) for each in maps]


def shades(maps: np.ndarray, limits: list[float]) -> bytes:
    """A byte for each pixel, each map by its own limit; what lies beyond takes the limit's."""
    by = np.array([127 / limit if limit > 0 else 0.0 for limit in limits])[:, None, None]
    with np.errstate(invalid="ignore", over="ignore"):
        scaled = np.clip(maps * by, -127, 127)
        bytes_ = np.where(np.isfinite(maps), np.rint(scaled) + 128, ODD)
    return bytes_.astype(np.uint8).tobytes()


def floats(array: np.ndarray) -> bytes:
    """The numbers themselves, as the browser's Float32Array reads them."""
    return np.ascontiguousarray(array, "<f4").tobytes()


def column_png(maps: np.ndarray, limits: list[float], gap: int = 1) -> str:
    """The maps one under the other, as the data URI of a PNG; `gap` transparent rows between."""
    count, rows, columns = maps.shape
    grid = np.frombuffer(shades(maps, limits), np.uint8).reshape(maps.shape) >> 1
    filler = np.full((count, gap, columns), GAP, np.uint8)
    lines = np.concatenate([grid, filler], 1).reshape(-1, columns)[: count * (rows + gap) - gap]
    raw = np.concatenate([np.zeros((len(lines), 1), np.uint8), lines], 1).tobytes()
    head = struct.pack(">IIBBBBB", columns, len(lines), 8, 3, 0, 0, 0)
    alpha = bytes([255] * GAP + [0])
    chunks = ((b"IHDR", head), (b"PLTE", PLTE), (b"tRNS", alpha), (b"IDAT", zlib.compress(raw, 9)))
    png = b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*each) for each in (*chunks, (b"IEND", b"")))
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _chunk(kind: bytes, content: bytes) -> bytes:
    body = kind + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


def _palette() -> bytes:
    """Half the shades are enough for a still: 128 colours, and one for the gaps."""
    colours = [bytes(ALARM)]
    colours += [bytes.fromhex(signed(2 * i - 128, 127)[1:]) for i in range(1, 128)]
    return b"".join([*colours, b"\xff\xff\xff"])


GAP = 128
PLTE = _palette()
