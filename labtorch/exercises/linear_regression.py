"""Checks of chapter 05, linear regression."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import labtorch as torch
from labtorch import nn, observe, optim
from labtorch.exercises.words import require, well_done


def _close(a: Any, b: Any, tolerance: float = 1e-3) -> bool:
    return abs(float(a) - float(b)) <= tolerance * max(1.0, abs(float(b)))


def gradients(answer: Callable) -> None:
    """Is answer(x, y, w, b) the gradient of the mean squared error, (dMSE/dw, dMSE/db)?"""
    generator = torch.Generator().manual_seed(1)
    for n, scale in ((7, 1.0), (40, 3.0)):
        x = scale * torch.randn(n, 1, generator=generator)
        y = torch.randn(n, 1, generator=generator)
        w = torch.tensor(0.7, requires_grad=True)
        b = torch.tensor(-0.4, requires_grad=True)
        ((y - (w * x + b)) ** 2).mean().backward()
        with torch.no_grad():
            given = answer(x, y, w.detach(), b.detach())
        require(
            isinstance(given, (tuple, list)) and len(given) == 2,
            "return two values, dw and db: `return dw, db`",
            "请返回两个值 dw 与 db：`return dw, db`",
        )
        for name, value, leaf in zip(("dw", "db"), given, (w, b)):
            _gradient(name, value, float(leaf.grad), n)  # type: ignore[arg-type]  # it has one
    well_done(
        "both gradients agree with the engine, on data of two sizes",
        "两个梯度都与引擎一致，两种大小的数据均已验证",
    )


def _gradient(name: str, value: Any, right: float, n: int) -> None:
    size = value.numel() if isinstance(value, torch.Tensor) else 1
    require(
        size == 1,
        f"{name} has {size} elements: a gradient of one number is one number. "
        "Sum or average over the points",
        f"{name} 有 {size} 个元素：一个数的梯度还是一个数，请对所有样本求和或求平均",
    )
    value = float(value)
    require(
        not _close(value, -right),
        f"{name} has the right size and the wrong sign. With y - ŷ in the sum, the minus of "
        "dŷ/dw stays in front",
        f"{name} 大小正确，符号相反。若求和的是 y - ŷ，前面要保留负号",
    )
    require(
        not _close(value, right / 2),
        f"{name} is half of what it should be: the square brings down a factor 2",
        f"{name} 只有应有的一半：平方求导会带来因子 2",
    )
    require(
        not _close(value, right * n),
        f"{name} is {n} times too large for {n} points: the error is a mean, so divide by n",
        f"{name} 对 {n} 个样本大了 {n} 倍：误差是平均值，要除以 n",
    )
    require(
        _close(value, right),
        f"{name} is {value:.4f}; the engine's gradient is {right:.4f}. "
        + ("Each term of dw is weighted by its x" if name == "dw" else "db has no factor x"),
        f"{name} 是 {value:.4f}，引擎的梯度是 {right:.4f}。"
        + ("dw 的每一项都要乘以对应的 x" if name == "dw" else "db 的各项不含 x"),
    )


def training_loop(answer: Callable) -> None:
    """Does answer(model, criterion, optimizer, x, y, steps) train as the document's program?"""
    x = torch.linspace(-1, 1, 16).reshape(-1, 1)
    y = 3 * x - 1
    steps = 6
    twin = _line()
    descent = optim.SGD(twin.parameters(), lr=0.1)
    for _ in range(steps):
        descent.zero_grad()
        nn.MSELoss()(twin(x), y).backward()
        descent.step()

    model = _line()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    with observe.record(budget=1e9) as recording:
        losses = answer(model, nn.MSELoss(), optimizer, x, y, steps)
    backward = len(recording.losses)
    require(
        backward > 0,
        "no backward pass was seen: call loss.backward() in every step",
        "没有看到反向传播：每一步都要调用 loss.backward()",
    )
    require(
        any(_moved(model)),
        "the weights did not move: after loss.backward(), call optimizer.step()",
        "参数没有变化：在 loss.backward() 之后调用 optimizer.step()",
    )
    require(
        recording.step_count == steps and backward == steps,
        f"{steps} steps were asked for; the trace shows {recording.step_count} steps with "
        f"{backward} backward passes: one graph, one backward pass and one update a step",
        f"要求 {steps} 步；记录显示 {recording.step_count} 步、{backward} 次反向传播："
        "每一步应当恰好一张图、一次反向传播、一次更新",
    )
    same = all(_close(a, b) for a, b in zip(_numbers(model), _numbers(twin)))
    require(
        same,
        "the weights took another path than gradient descent. Gradients add up in .grad: start "
        "every step with optimizer.zero_grad()",
        "参数走的不是梯度下降的路径。梯度会在 .grad 中累加："
        "每一步开始时先调用 optimizer.zero_grad()",
    )
    require(
        isinstance(losses, list)
        and len(losses) == steps
        and all(isinstance(each, float) for each in losses),
        f"return the list of the {steps} losses, as Python floats: losses.append(loss.item())",
        f"请返回 {steps} 个损失组成的列表，元素为 Python 浮点数：losses.append(loss.item())",
    )
    require(
        all(_close(a, b) for a, (_, b) in zip(losses, recording.losses)),
        "the losses returned are not those that the backward passes started from",
        "返回的损失与反向传播的起点不一致",
    )
    well_done(
        f"{steps} steps, {steps} graphs, each with one backward pass and one update",
        f"{steps} 步、{steps} 张图，每步一次反向传播、一次更新",
    )


def _line() -> Any:
    model = nn.Linear(1, 1)
    with torch.no_grad():
        model.weight.fill_(0.5)
        model.bias.fill_(0.25)
    return model


def _numbers(model: Any) -> list[float]:
    return [model.weight.item(), model.bias.item()]


def _moved(model: Any) -> list[bool]:
    return [a != b for a, b in zip(_numbers(model), (0.5, 0.25))]


def largest_learning_rate(answer: Callable) -> None:
    """Does descent converge just below answer(x), and diverge just above it?"""
    generator = torch.Generator().manual_seed(2)
    for shift, scale in ((0.0, 1.0), (2.0, 1.0), (0.0, 4.0)):
        x = shift + scale * torch.randn(50, 1, generator=generator)
        limit = answer(x)
        limit = limit.item() if isinstance(limit, torch.Tensor) else limit
        require(
            isinstance(limit, float) and math.isfinite(limit) and limit > 0,
            f"a learning rate is a positive number, not {limit!r}",
            f"学习率应为正数，而不是 {limit!r}",
        )
        require(
            _converges(x, 0.97 * limit),
            f"at {0.97 * limit:.4f}, just below your limit of {limit:.4f}, the loss still grows "
            f"(for x around {shift:g}, spread {scale:g}): the limit is lower",
            f"在略低于你给出的上限 {limit:.4f} 的 {0.97 * limit:.4f} 处，损失仍在增大"
            f"（x 的中心为 {shift:g}，尺度为 {scale:g}）：真正的上限更低",
        )
        require(
            not _converges(x, 1.03 * limit),
            f"at {1.03 * limit:.4f}, just above your limit of {limit:.4f}, the loss still shrinks "
            f"(for x around {shift:g}, spread {scale:g}): the limit is higher",
            f"在略高于你给出的上限 {limit:.4f} 的 {1.03 * limit:.4f} 处，损失仍在减小"
            f"（x 的中心为 {shift:g}，尺度为 {scale:g}）：真正的上限更高",
        )
    well_done(
        "descent converges just below your limit and diverges just above it, on three data sets",
        "在三组数据上，略低于上限时收敛，略高于上限时发散",
    )


def _converges(x: Any, rate: float, steps: int = 400) -> bool:
    """Do w and b approach the minimum from a point off it? In float64, where 3 % shows."""
    design = torch.cat([x, torch.ones_like(x)], 1).double()
    hessian = 2 * design.T @ design / len(x)
    position = torch.tensor([[1.0], [1.0]], dtype=torch.float64)
    start = (position.T @ hessian @ position).item()
    for _ in range(steps):
        position = position - rate * (hessian @ position)
        height = (position.T @ hessian @ position).item()
        if not height < 1e6 * start:
            return False
    return height < start
