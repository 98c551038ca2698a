"""Checks of chapter 11, parallel training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import labtorch as torch
from labtorch import distributed as dist
from labtorch import nn
from labtorch.distributed.mpi import Lost
from labtorch.exercises.words import exercise, require, well_done

NEAR = 1e-5


def _apart(a: Any, b: Any) -> float:
    """How far two gradients are from each other, for one of length 1."""
    return float((a - b).norm() / b.norm())


# ---------------------------------------------------------------- exercise 1
@exercise
def combine(answer: Callable) -> None:
    """Does answer(gradients, sizes) make of the shards' gradients that of the whole batch?"""
    generator = torch.Generator().manual_seed(2)
    for sizes in ([40, 24], [5, 5], [1, 2, 9]):
        x = torch.randn(sum(sizes), 6, generator=generator)
        y = torch.randn(sum(sizes), 1, generator=generator)
        w = torch.randn(6, 1, generator=generator)

        def gradient(x: Any, y: Any, w: Any = w) -> Any:
            return 2 * x.T @ (x @ w - y) / len(x)

        parts = [gradient(*each) for each in zip(x.split(sizes), y.split(sizes))]
        given = answer([part.clone() for part in parts], list(sizes))
        whole, n = gradient(x, y), len(sizes)
        require(
            isinstance(given, torch.Tensor) and given.shape == whole.shape,
            f"return one tensor, shaped as each gradient is: {list(whole.shape)}",
            f"请返回一个张量，形状与每个梯度相同：{list(whole.shape)}",
        )
        total = torch.stack(parts).sum(0)
        weighted = torch.stack([k * part for k, part in zip(sizes, parts)]).sum(0)
        if len(set(sizes)) > 1:
            require(
                _apart(given, total / n) > NEAR,
                f"this is the plain mean. With shards of {sizes} samples, a sample in a small "
                "shard would count more than one in a large shard",
                f"这是不加权的平均。各份样本数为 {sizes} 时，小份里的样本会比大份里的样本更有分量",
            )
        require(
            _apart(given, total) > NEAR,
            "this is the sum of the gradients: the losses are means, so their gradients are, too",
            "这是梯度之和：损失是平均值，梯度也应是平均值",
        )
        require(
            _apart(given, weighted) > NEAR,
            "the gradients are weighted by their samples; now divide by the number of all samples",
            "已按样本数加权；还要除以样本总数",
        )
        require(
            _apart(given, whole) <= NEAR,
            f"for shards of {sizes} samples this is {_apart(given, whole):.0%} away from the "
            "gradient of the whole batch",
            f"各份样本数为 {sizes} 时，结果与整个批次的梯度相差 {_apart(given, whole):.0%}",
        )
    well_done(
        "the shards' gradients make that of the whole batch, for equal and unequal shards",
        "无论各份是否相等，都合成了整个批次的梯度",
    )


# ---------------------------------------------------------------- exercise 2
def in_a_rank(answer: Callable) -> dict[str, Any]:
    """What answer(model, samples) did to the gradients of a model, in this rank."""
    model = nn.Linear(4, 3)
    generator = torch.Generator().manual_seed(dist.get_rank())
    samples = 3 + 5 * dist.get_rank()
    x = torch.randn(samples, 4, generator=generator)
    with torch.no_grad():
        model.weight.fill_(0.5)
    model(x).square().mean().backward()
    own = _flat(model)
    error = ""
    try:
        answer(model, samples)
    except Exception as problem:  # told by the check
        error = f"{type(problem).__name__}: {problem}"
    every: list[Any] = [None] * dist.get_world_size()
    for _ in range(100):  # until all are here: one rank may have called what the others did not
        try:
            dist.all_gather_object(every, (own.tolist(), samples, _flat(model).tolist(), error))
            break
        except Lost:
            raise
        except RuntimeError as problem:
            error = error or str(problem)
    return {"every": every}


def _flat(model: Any) -> Any:
    return torch.cat([p.grad.reshape(-1) for p in model.parameters()])


def judge(every: Sequence[tuple]) -> None:
    """`every`: from each rank its own gradient, its samples, what it had afterwards, its error."""
    own, after = (torch.tensor([each[k] for each in every]) for k in (0, 2))
    samples = torch.tensor([float(each[1]) for each in every]).reshape(-1, 1)
    for rank, (*_, error) in enumerate(every):
        require(
            not error,
            f"rank {rank} raised {error}",
            f"rank {rank} 报错：{error}",
        )
    require(
        max(_apart(a, b) for a, b in zip(after, own)) > NEAR,
        "the gradients are as they were: all_reduce changes the tensor that it is given, so give "
        "it p.grad itself, or copy its result back into p.grad",
        "梯度没有变化：all_reduce 会修改传给它的张量，请直接传入 p.grad，或把结果写回 p.grad",
    )
    require(
        all(_apart(each, after[0]) <= NEAR for each in after),
        "the ranks have different gradients now: every rank must do the same arithmetic",
        "各 rank 的梯度不再相同：每个 rank 都要做同样的运算",
    )
    n, got = len(every), after[0]
    require(
        _apart(got, own.sum(0)) > NEAR,
        "every rank has the sum: the sum of means is no mean",
        "每个 rank 得到的是总和：平均值之和不是平均值",
    )
    require(
        _apart(got, own.sum(0) / n) > NEAR,
        f"this is the plain mean; the ranks had {samples.flatten().int().tolist()} samples",
        f"这是不加权的平均；各 rank 的样本数是 {samples.flatten().int().tolist()}",
    )
    weighted = (own * samples).sum(0)
    require(
        _apart(got, weighted) > NEAR,
        "weighted right, but not divided by the number of all samples; all_reduce can add that up, "
        "too",
        "加权正确，但没有除以样本总数；总数也可以用 all_reduce 求和得到",
    )
    right = weighted / samples.sum()
    require(
        _apart(got, right) <= NEAR,
        f"the gradients are {_apart(got, right):.0%} away from the weighted mean",
        f"梯度与加权平均相差 {_apart(got, right):.0%}",
    )


@exercise
def average_gradients(ranks: Any) -> None:
    """Does average_gradients(model, samples), as the ranks have it, give all the weighted mean?"""
    ranks.execute(
        "from labtorch.exercises import parallel as _check\n"
        "_seen = _check.in_a_rank(average_gradients)",
        block=True,
    )
    judge(ranks.pull("_seen", block=True)[0]["every"])
    well_done(
        "every rank has the gradient of all samples: this is what DistributedDataParallel does",
        "每个 rank 都得到了全部样本的梯度：DistributedDataParallel 做的正是这件事",
    )
