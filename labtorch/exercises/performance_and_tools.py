"""Checks of chapter 09, performance and tools."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import labtorch as torch
from labtorch import nn, observe
from labtorch.exercises.words import exercise, require, well_done


# ---------------------------------------------------------------- exercise 1
def _ops(act: Callable, points: Any) -> int:
    with observe.record(budget=1e9) as recording:
        act(points)
    if not recording.steps:
        return 0
    return sum(node["kind"] == "op" for node in recording.graph()["nodes"])


@exercise
def distances(answer: Callable) -> None:
    """Is answer(points) the matrix of distances, with a number of ops that does not grow?"""
    generator = torch.Generator().manual_seed(3)
    counts = []
    for n, d in ((3, 2), (12, 2), (5, 4)):
        points = torch.randn(n, d, generator=generator)
        given = answer(points)
        require(
            isinstance(given, torch.Tensor) and given.shape == (n, n),
            f"for {n} points return a {n} x {n} tensor",
            f"{n} 个点应返回 {n} x {n} 的张量",
        )
        right = (points[:, None] - points[None]).square().sum(-1).sqrt()
        require(
            not torch.allclose(given, right.square(), atol=1e-4),
            "these are the squared distances: take the square root",
            "这是距离的平方：还要开方",
        )
        require(
            torch.allclose(given, given.T, atol=1e-4),
            "the distance from i to j must be that from j to i",
            "i 到 j 的距离应等于 j 到 i 的距离",
        )
        worst = (given - right).abs().max().item()
        require(
            torch.allclose(given, right, atol=1e-3),
            f"for {n} points in {d} dimensions a distance is off by {worst:.3f}",
            f"{d} 维空间的 {n} 个点，有一个距离差了 {worst:.3f}",
        )
        if d == 2:
            counts.append(_ops(answer, points))
    require(
        counts[0] > 0,
        "no op of the engine ran: compute with tensors, not with NumPy or Python numbers",
        "引擎没有执行任何运算：请用张量计算，而不是 NumPy 或 Python 数",
    )
    require(
        counts[1] <= counts[0],
        f"3 points take {counts[0]} ops and 12 points take {counts[1]}: there is still a loop. Let "
        "broadcasting make all pairs at once",
        f"3 个点用了 {counts[0]} 次运算，12 个点用了 {counts[1]} 次：还有循环。"
        "用广播一次得到所有点对",
    )
    well_done(
        f"right, in {counts[0]} ops however many points there are",
        f"正确，而且无论多少个点都只用 {counts[0]} 次运算",
    )


# ---------------------------------------------------------------- exercise 2
LAYERS: list[tuple[int, int, int, dict[str, Any], tuple[int, int]]] = [
    (1, 32, 3, {"padding": 1}, (24, 24)),
    (32, 64, 3, {"padding": 1, "bias": False}, (12, 12)),
    (4, 6, 5, {"stride": 2}, (11, 9)),
    (6, 4, 3, {"groups": 2, "dilation": 2}, (9, 9)),
]


@exercise
def conv_flops(answer: Callable) -> None:
    """Is answer(conv, height, width) the engine's own count for one image?"""
    for cin, cout, k, options, size in LAYERS:
        conv = nn.Conv2d(cin, cout, k, **options)
        with observe.record(budget=1e9) as recording:
            out = conv(torch.zeros(1, cin, *size))
        (right,) = (n["flops"] or 0 for n in recording.graph()["nodes"] if n["name"] == "conv2d")
        given = answer(conv, *size)
        said = f"Conv2d({cin}, {cout}, {k}" + "".join(f", {a}={b}" for a, b in options.items())
        said += f") on {size[0]} x {size[1]}"
        require(
            isinstance(given, (int, float)) and given == int(given),
            f"return a whole number of operations, not {given!r}",
            f"请返回整数的运算次数，而不是 {given!r}",
        )
        bias = out.numel() if conv.bias is not None else 0
        products = (right - bias) // 2
        require(
            given != products and given != products + bias,
            "this counts the multiplications; each product is also added to the sum",
            "这只数了乘法；每个乘积还要加到总和里",
        )
        require(
            given != right - bias or not bias,
            "the bias is missing: one addition for each element of the result",
            "漏了偏置：结果的每个元素还有一次加法",
        )
        wide = cout * size[0] * size[1] if bias else 0
        over = 2 * products * size[0] * size[1] // (out.shape[2] * out.shape[3])
        require(
            out.shape[2:] == torch.Size(size) or given not in (over, over + bias, over + wide),
            f"{said}: the result has {out.shape[2]} x {out.shape[3]} places, not as many as the "
            "image",
            f"{said}：结果有 {out.shape[2]} x {out.shape[3]} 个位置，与图像不同",
        )
        require(
            conv.groups == 1 or given != 2 * products * conv.groups + bias,
            f"{said}: with groups, an output channel sees {cin // conv.groups} input channels only",
            f"{said}：分组时，一个输出通道只看到 {cin // conv.groups} 个输入通道",
        )
        require(
            given == right,
            f"{said}: the engine counts {right:,} operations, you {int(given):,}",
            f"{said}：引擎数到 {right:,} 次运算，你数到 {int(given):,} 次",
        )
    well_done(
        f"as the engine counts, for {len(LAYERS)} layers with stride, padding, groups and dilation",
        f"与引擎的计数一致，{len(LAYERS)} 个层都已验证，含步长、填充、分组与空洞",
    )


# ---------------------------------------------------------------- exercise 3
@exercise
def speedup(answer: Callable) -> None:
    """Is answer(share, factor) what a program gains if `share` of its time gets `factor` faster?"""
    for share, factor in ((0.5, 2.0), (0.9, 3.0), (0.9, 1e9), (0.0, 7.0), (1.0, 4.0), (0.2, 1.0)):
        given = answer(share, factor)
        require(
            isinstance(given, (int, float)),
            f"return one number, not {type(given).__name__}",
            f"请返回一个数，而不是 {type(given).__name__}",
        )
        left = 1 - share + share / factor
        said = f"{share:.0%} of the time, {factor:g} times as fast"
        shown = f"{share:.0%} 的时间加速 {factor:g} 倍"
        require(
            abs(given - left) > 1e-6 or abs(left - 1) < 1e-6,
            f"{said}: {given:.2f} is the time that is left; the speedup is its inverse",
            f"{shown}：{given:.2f} 是剩下的时间，加速比是它的倒数",
        )
        require(
            share in (0.0, 1.0)
            or factor == 1.0
            or abs(given - (1 - share + share * factor)) > 1e-6,
            f"{said}: the slow part does not get slower; its time is divided by the factor",
            f"{shown}：变快的部分，时间要除以倍数",
        )
        require(
            abs(given - 1 / left) < 1e-6 / left,
            f"{said}: {given:.3f} should be {1 / left:.3f}. What stays as it is, and what shrinks?",
            f"{shown}：{given:.3f} 应为 {1 / left:.3f}。哪一部分不变，哪一部分缩短？",
        )
    well_done(
        "right; and 90 % made infinitely fast gains a factor of 10, no more",
        "正确；而且把 90 % 变得无限快，也只能快 10 倍",
    )
