"""Checks of chapter 05, linear regression."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import labtorch as torch
from labtorch import nn, observe, optim
from labtorch.exercises.words import exercise, require, well_done


def _close(a: Any, b: Any, tolerance: float = 1e-3) -> bool:
    return abs(float(a) - float(b)) <= tolerance * max(1.0, abs(float(b)))


def _array(value: Any) -> np.ndarray | None:
    """The numbers of a tensor, an array or a Python number; None if it is none of them."""
    value = value.detach().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
    return value if value.dtype.kind in "iuf" else None


@exercise
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
        values = [_array(each) for each in given]
        right = [float(leaf.grad) for leaf in (w, b)]  # type: ignore[arg-type]  # they have one
        require(
            not all(
                v is not None and v.size == 1 and _close(v.item(), r)
                for v, r in zip(values, reversed(right))
            ),
            "these are the right two numbers in the wrong order: `return dw, db`",
            "两个数都对，但次序反了：`return dw, db`",
        )
        for name, value, expected in zip(("dw", "db"), values, right):
            _gradient(name, value, expected, n)
    well_done(
        "both gradients agree with the engine, on data of two sizes",
        "两个梯度都与引擎一致，两种大小的数据均已验证",
    )


def _gradient(name: str, given: np.ndarray | None, right: float, n: int) -> None:
    if given is None:
        return require(False, f"{name} is not a number", f"{name} 不是一个数")
    require(
        given.size == 1,
        f"{name} has {given.size} elements: a gradient of one number is one number. "
        "Sum or average over the points",
        f"{name} 有 {given.size} 个元素：对一个数求导，梯度也是一个数，请对所有样本求和或求平均",
    )
    value = given.item()
    require(
        not _close(value, -right),
        f"{name} has the right size and the wrong sign. With y - ŷ in the sum, the minus of "
        f"d(y - ŷ)/{name} stays in front",
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
        + (
            "Is each term y - ŷ, times its x?" if name == "dw" else "Is each term y - ŷ, without x?"
        ),
        f"{name} 是 {value:.4f}，引擎的梯度是 {right:.4f}。"
        + (
            "每一项是不是 y - ŷ 再乘以对应的 x？"
            if name == "dw"
            else "每一项是不是 y - ŷ，不含 x？"
        ),
    )


class _Line(nn.Linear):
    """A line that starts at 0.5 x + 0.25, and notes what is done with it."""

    def __init__(self, notes: list[str]) -> None:
        super().__init__(1, 1)
        self.notes = notes
        with torch.no_grad():
            self.weight.fill_(0.5)
            self.bias.fill_(0.25)  # type: ignore[union-attr]  # it has one

    def forward(self, input: Any) -> Any:
        self.notes.append("forward")
        return super().forward(input)

    def zero_grad(self, set_to_none: bool = True) -> None:
        self.notes.append("zero_grad")
        super().zero_grad(set_to_none)


class _Descent(optim.SGD):
    """Gradient descent that notes when it is asked for."""

    def __init__(self, model: _Line) -> None:
        super().__init__(model.parameters(), lr=0.1)
        self.notes = model.notes

    def zero_grad(self, set_to_none: bool = True) -> None:
        self.notes.append("zero_grad")
        super().zero_grad(set_to_none)

    def step(self, closure: Any = None) -> Any:
        self.notes.append("step")
        return super().step(closure)


class _Backward(observe.Watcher):
    """Notes every backward pass."""

    def __init__(self, notes: list[str]) -> None:
        self.notes = notes

    def backward_begun(self, roots: list) -> None:
        self.notes.append("backward")


@exercise
def training_loop(answer: Callable) -> None:
    """Does answer(model, criterion, optimizer, x, y, steps) train as the document's program?"""
    x = torch.linspace(-1, 1, 16).reshape(-1, 1)
    y = 3 * x - 1
    steps = 6
    twin = _Line([])
    descent = _Descent(twin)
    for _ in range(steps):
        descent.zero_grad()
        nn.MSELoss()(twin(x), y).backward()
        descent.step()

    notes: list[str] = []
    model = _Line(notes)
    try:
        with observe.record(budget=1e9) as recording, observe.watch(_Backward(notes)):
            losses = answer(model, nn.MSELoss(), _Descent(model), x, y, steps)
    except RuntimeError as error:
        require(
            "a second time" not in str(error),
            "backward() went through the same graph twice. A graph serves one backward pass: "
            "compute model(x) and the loss anew in every step, inside the loop",
            "backward() 两次走过同一张图。一张图只供一次反向传播："
            "请在循环内每一步重新计算 model(x) 和损失",
        )
        raise
    _order(notes, steps)
    same = all(_close(a, b) for a, b in zip(_numbers(model), _numbers(twin)))
    require(
        same or "zero_grad" in notes,
        "the weights took another path than gradient descent. Gradients add up in .grad: start "
        "every step with optimizer.zero_grad()",
        "参数走的不是梯度下降的路径。梯度会在 .grad 中累加："
        "每一步开始时先调用 optimizer.zero_grad()",
    )
    require(
        same,
        "the weights took another path than gradient descent. In every step, in this order: "
        "zero_grad, forward, backward, step",
        "参数走的不是梯度下降的路径。每一步都应依次是：zero_grad、前向、backward、step",
    )
    require(
        recording.step_count == steps == len(recording.losses),
        f"{steps} steps were asked for; the trace counts {recording.step_count} graphs and "
        f"{len(recording.losses)} backward passes",
        f"要求 {steps} 步；记录显示 {recording.step_count} 张图、"
        f"{len(recording.losses)} 次反向传播",
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


def _order(notes: list[str], steps: int) -> None:
    """Was every part of a step there, as often as asked, and in its order?"""
    forward, backward, updates = (notes.count(part) for part in ("forward", "backward", "step"))
    require(
        backward > 0,
        "no backward pass was seen: call loss.backward() in every step, with the brackets",
        "没有看到反向传播：每一步都要调用 loss.backward()，别漏了括号",
    )
    require(
        updates > 0,
        "step() was not called: after loss.backward(), call step() of the optimizer you were "
        "given, with the brackets",
        "没有调用 step()：在 loss.backward() 之后，调用传入的 optimizer 的 step()，别漏了括号",
    )
    require(
        notes.index("step") > notes.index("backward"),
        "step() came before backward(): there was no gradient yet to follow. First backward, "
        "then step",
        "step() 在 backward() 之前：那时还没有梯度可用。先 backward，再 step",
    )
    pairs = list(zip(notes, notes[1:]))
    require(
        ("backward", "zero_grad") not in pairs or ("zero_grad", "step") not in pairs,
        "zero_grad() between backward() and step() throws the gradient away before it is used: "
        "call it at the start of a step",
        "zero_grad() 放在 backward() 与 step() 之间，梯度还没用就被清掉了：请在每一步开始时调用",
    )
    require(
        backward == updates == steps,
        f"{steps} steps were asked for; the trace counts {backward} of backward() and {updates} "
        "of step()" + (". Is `return` inside the loop?" if backward == 1 else ""),
        f"要求 {steps} 步；记录显示 {backward} 次反向传播、{updates} 次更新"
        + ("。`return` 是不是写在循环里了？" if backward == 1 else ""),
    )
    require(
        forward == steps,
        f"{steps} steps were asked for; the trace shows {forward} forward passes. Compute "
        "model(x) once a step; the loss to keep is the one that backward() started from",
        f"要求 {steps} 步；记录显示 {forward} 次前向计算。"
        "每一步只算一次 model(x)；要记下的正是 backward() 所用的那个损失",
    )


def _numbers(model: Any) -> list[float]:
    return [model.weight.item(), model.bias.item()]


@exercise
def largest_learning_rate(answer: Callable) -> None:
    """Does descent converge just below answer(x), and diverge just above it?"""
    generator = torch.Generator().manual_seed(2)
    for shift, scale in ((0.0, 1.0), (2.0, 1.0), (0.0, 4.0)):
        x = shift + scale * torch.randn(50, 1, generator=generator)
        given = _array(answer(x))
        limit = given.item() if given is not None and given.size == 1 else math.nan
        require(
            0 < limit < math.inf,
            "a learning rate is one positive number: return a float, or a tensor of one element",
            "学习率是一个正数：请返回一个浮点数，或只含一个元素的张量",
        )
        design = np.hstack([x.numpy(), np.ones_like(x.numpy())]).astype(np.float64)
        smaller, larger = np.linalg.eigvalsh(2 * design.T @ design / len(x))
        require(
            not _close(limit * larger / 2, 0.5),
            f"{limit:.4f} is 1/λ, where 1 - αλ is 0. Descent still converges beyond it, swinging "
            "from side to side, until 1 - αλ reaches -1",
            f"{limit:.4f} 是 1/λ，此时 1 - αλ 为 0。再大一些仍会收敛，只是左右摇摆，"
            "直到 1 - αλ 等于 -1",
        )
        require(
            not _close(limit * larger / 2, 2.0),
            f"{limit:.4f} is twice the limit: do not forget the factor 2 in H = (2/n) XᵀX",
            f"{limit:.4f} 是上限的两倍：别忘了 H = (2/n) XᵀX 中的因子 2",
        )
        require(
            larger < 1.05 * smaller or not _close(limit * smaller / 2, 1.0),
            f"{limit:.4f} belongs to the smaller eigenvalue, the flattest direction. The steepest "
            "one, with the larger eigenvalue, sets the limit",
            f"{limit:.4f} 对应较小的特征值，即最平缓的方向。上限由最陡的方向，即较大的特征值决定",
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
