"""What an op costs by its shapes: floating-point operations of its forward pass.

A multiplication with its addition counts as two operations, as is usual for products of matrices
and convolutions; an elementwise op counts one for each element that it makes.
"""

from __future__ import annotations

import math

FREE = frozenset(
    """reshape view permute transpose expand squeeze unsqueeze flatten narrow getitem detach
    contiguous clone to cast cat stack split chunk select""".split()
)


def flops(name: str, inputs: dict[str, list[int]], output: list[int]) -> int | None:
    """Of the op `name` on inputs of these shapes, by argument; None where the rule is not known."""
    made = math.prod(output)
    if name in FREE:
        return 0
    if name in ("linear", "matmul") and not inputs.get("input"):
        return None
    if name == "linear":
        return 2 * made * inputs["input"][-1] + (made if "bias" in inputs else 0)
    if name == "matmul":
        return 2 * made * inputs["input"][-1]
    if name in ("conv1d", "conv2d", "conv3d", "conv") and "weight" in inputs:
        return 2 * made * math.prod(inputs["weight"][1:]) + (made if "bias" in inputs else 0)
    if all(math.prod(shape) <= made for shape in inputs.values()):
        return made  # elementwise, possibly broadcast
    return max((math.prod(shape) for shape in inputs.values()), default=None)  # a reduction
