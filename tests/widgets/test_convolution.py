"""The convolution explorer without a browser."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import labtorch_widgets as lab
import numpy as np
import pytest
from labtorch_widgets.convolution.presets import PRESETS, name_of, preset, resized

import labtorch as torch
from labtorch.nn import functional as F

IMAGE = np.random.default_rng(0).normal(size=(9, 7)).astype(np.float32)
KERNEL = np.arange(9, dtype=np.float32).reshape(3, 3) - 2


def shown(view: lab.ConvolutionView) -> Any:
    told = view.frame["output"]
    return np.frombuffer(told["values"], "<f4").reshape(told["size"])


@pytest.mark.parametrize("flip", [False, True])
def test_the_output_is_what_conv2d_computes(flip: bool) -> None:
    options: dict[str, Any] = {"stride": 2, "padding": 2, "dilation": 2}
    view = lab.convolution(torch.tensor(IMAGE)[None, None], KERNEL, flip=flip, **options)
    kernel = KERNEL[::-1, ::-1].copy() if flip else KERNEL
    x, w = torch.tensor(IMAGE)[None, None], torch.tensor(kernel)[None, None]
    np.testing.assert_array_equal(shown(view), F.conv2d(x, w, None, **options).numpy()[0, 0])
    assert view.frame["applied"] == kernel.tolist() and view.frame["kernel"] == KERNEL.tolist()
    assert view.frame["sides"] == list(shown(view).shape)
    assert "9 + 2 \\cdot 2 - 2 (3 - 1) - 1" in view.frame["sizeFormulas"][0]["latex"]
    assert len(view.frame["sizeFormulas"]) == 2


def test_flipping_turns_correlation_into_convolution() -> None:
    view = lab.convolution(IMAGE, KERNEL, flip=True)
    i, j = 2, 3
    true = sum(KERNEL[u, v] * IMAGE[i + 2 - u, j + 2 - v] for u in range(3) for v in range(3))
    assert shown(view)[i, j] == pytest.approx(true, rel=1e-5)
    assert "w_{2 - u" in view.frame["formula"]["latex"]


def test_pooling_says_what_a_formula_without_stride_would_give() -> None:
    view = lab.convolution(np.random.rand(28, 28), mode="max")
    assert view.frame["output"]["size"] == [14, 14] and view.frame["omitted"]
    assert view.frame["alternatives"] == {"size": 28, "window": 2, "one": 27, "default": 14}
    view.choose("stride", 1)
    assert view.frame["output"]["size"] == [27, 27]
    view.choose("mode", "average")
    view.choose("window", 4)
    assert view.frame["output"]["size"] == [7, 7]
    x = np.frombuffer(view.frame["image"]["values"], "<f4").reshape(28, 28)
    np.testing.assert_allclose(shown(view)[1, 2], x[4:8, 8:12].mean(), rtol=1e-5)


def test_what_does_not_fit_is_said() -> None:
    view = lab.convolution(np.ones((4, 4)), np.ones((5, 5)))
    assert view.frame["output"] is None
    assert view.frame["problem"] == {
        "key": "tooLarge", "rows": 4, "columns": 4, "tall": 5, "wide": 5,
    }  # fmt: skip
    assert "does not fit" in view.still()
    view.choose("padding", 1)
    assert view.frame["output"]["size"] == [2, 2]
    pooling = lab.convolution(np.ones((4, 4)), mode="max", padding=2)
    assert pooling.frame["problem"]["key"] == "tooMuchPadding"


def test_presets_and_single_elements() -> None:
    view = lab.convolution(IMAGE)
    assert view.frame["preset"] == "vertical"
    for name in PRESETS:
        view.choose_kernel(name)
        assert view.frame["preset"] == name == name_of(preset(name))
    np.testing.assert_array_equal(shown(view), IMAGE[1:-1, 1:-1])  # the identity
    view._on_message(None, {"command": "cell", "row": 0, "column": 2, "value": "−1,5"}, [])
    assert view.frame["kernel"][0][2] == -1.5 and view.frame["preset"] is None
    view._on_message(None, {"command": "size", "size": 5}, [])
    assert np.array(view.frame["kernel"]).shape == (5, 5) and view.frame["kernel"][1][3] == -1.5
    np.testing.assert_array_equal(resized(np.eye(5), 3), np.eye(3))


@pytest.mark.parametrize(
    "options",
    [
        {"stride": 0}, {"padding": -1}, {"dilation": 1.5}, {"mode": "median"}, {"kernel": "blurr"},
        {"kernel": np.ones((9, 9))}, {"window": True}, {"kernel": np.full((3, 3), np.nan)},
        {"image": np.ones((65, 3))}, {"image": np.ones(5)},
    ],
)  # fmt: skip
def test_arguments_that_will_not_do_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        lab.convolution(**({"image": IMAGE} | options))


def test_messages_that_will_not_do_change_nothing() -> None:
    view = lab.convolution(IMAGE)
    before = view.frame["kernel"], view.frame["stride"], view.frame["mode"]
    for content in (
        {"command": "set", "name": "image", "value": 3},
        {"command": "set", "name": "stride", "value": "fast"},
        {"command": "set", "name": "stride", "value": 99},
        {"command": "cell", "row": 7, "column": 0, "value": 1},
        {"command": "cell", "row": 0, "column": 0, "value": "inf"},
        {"command": "size", "size": 0},
        {"command": "preset", "kernel": "<b>"},
    ):
        view._on_message(None, content, [])
    assert before == (view.frame["kernel"], view.frame["stride"], view.frame["mode"])


def test_its_still_is_small_and_well_formed() -> None:
    view = lab.convolution(np.random.rand(64, 64))
    ET.fromstring(view.still())
    assert len(view.still()) < 60_000 and repr(view) == "ConvolutionView()"
