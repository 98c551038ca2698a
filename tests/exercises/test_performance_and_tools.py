"""The checks of chapter 09 pass what is right, and tell students what went wrong."""

import pytest

import labtorch as torch
from labtorch.exercises import performance_and_tools as check


def loop(points):
    return torch.stack(
        [torch.stack([(p - q).square().sum().sqrt() for q in points]) for p in points]
    )


def pairs(points):
    return points[:, None] - points[None]


DISTANCES = {
    "a loop": (loop, "there is still a loop"),
    "squared": (lambda p: pairs(p).square().sum(-1), "squared distances"),
    "a vector": (lambda p: p.square().sum(-1).sqrt(), "return a 3 x 3 tensor"),
    "manhattan": (lambda p: pairs(p).abs().sum(-1), "off by"),
    "half": (lambda p: pairs(p).square().sum(-1).sqrt().triu(), "from j to i"),
    "numpy": (
        lambda p: torch.tensor(((p.numpy()[:, None] - p.numpy()) ** 2).sum(-1) ** 0.5),
        "no op of the engine|there is still",
    ),
}


@pytest.mark.parametrize(
    "right",
    [
        lambda p: pairs(p).square().sum(-1).sqrt(),
        lambda p: torch.cdist(p, p),
        lambda p: torch.linalg.norm(pairs(p), dim=-1),
    ],
)
def test_distances_pass(right, capsys):
    check.distances(right)
    assert "✓" in capsys.readouterr().out


@pytest.mark.parametrize("wrong", DISTANCES)
def test_wrong_distances_are_told_why(wrong):
    answer, message = DISTANCES[wrong]
    with pytest.raises(AssertionError, match=message):
        check.distances(answer)


def places(conv, height, width):
    n = [
        (s + 2 * p - d * (k - 1) - 1) // t + 1
        for s, p, d, k, t in zip(
            (height, width), conv.padding, conv.dilation, conv.kernel_size, conv.stride
        )
    ]
    return n[0] * n[1]


def right_flops(conv, height, width, factor=2, bias=1, groups=1, area=None):
    area = area or places(conv, height, width)
    taps = conv.in_channels // conv.groups * conv.kernel_size[0] * conv.kernel_size[1] * groups
    out = conv.out_channels * area
    return factor * out * taps + bias * out * (conv.bias is not None)


FLOPS = {
    "multiplications only": (lambda c, h, w: right_flops(c, h, w, factor=1), "multiplications"),
    "no bias": (lambda c, h, w: right_flops(c, h, w, bias=0), "the bias is missing"),
    "the image's size": (
        lambda c, h, w: right_flops(c, h, w, area=h * w),
        "not as many as the image",
    ),
    "no groups": (
        lambda c, h, w: right_flops(c, h, w, groups=c.groups),
        "sees 3 input channels only",
    ),
    "one channel": (
        lambda c, h, w: right_flops(c, h, w) // c.in_channels,
        "the engine counts|whole number",
    ),
    "nothing": (lambda c, h, w: None, "whole number"),
}


def test_flops_pass(capsys):
    check.conv_flops(right_flops)
    check.conv_flops(lambda c, h, w: float(right_flops(c, h, w)))
    assert "✓" in capsys.readouterr().out


@pytest.mark.parametrize("wrong", FLOPS)
def test_wrong_flops_are_told_why(wrong):
    answer, message = FLOPS[wrong]
    with pytest.raises(AssertionError, match=message):
        check.conv_flops(answer)


SPEEDUPS = {
    "the time left": (lambda s, f: 1 - s + s / f, "the time that is left"),
    "a mean of factors": (lambda s, f: 1 - s + s * f, "does not get slower"),
    "the factor": (lambda s, f: f, "should be 1.333"),
    "without the rest": (lambda s, f: f / s if s else 1.0, "should be"),
    "a share": (lambda s, f: 1 / (1 - s + 1e-9), "should be"),
    "text": (lambda s, f: "2x", "one number, not str"),
}


def test_speedups_pass(capsys):
    check.speedup(lambda s, f: 1 / (1 - s + s / f))
    assert "✓" in capsys.readouterr().out


@pytest.mark.parametrize("wrong", SPEEDUPS)
def test_a_wrong_speedup_is_told_why(wrong):
    answer, message = SPEEDUPS[wrong]
    with pytest.raises(AssertionError, match=message):
        check.speedup(answer)


def test_it_speaks_chinese(monkeypatch):
    monkeypatch.setenv("LABTORCH_LANG", "zh")
    for wrong, act, message in (
        (loop, check.distances, "还有循环"),
        (FLOPS["no bias"][0], check.conv_flops, "漏了偏置"),
        (SPEEDUPS["the time left"][0], check.speedup, "倒数"),
    ):
        with pytest.raises(AssertionError, match=message):
            act(wrong)
