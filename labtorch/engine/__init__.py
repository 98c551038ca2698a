"""The one place where an op is applied: nodes, backward, scopes, modes, and the watchers' door."""

from labtorch.engine.apply import apply
from labtorch.engine.inplace import apply_inplace
from labtorch.engine.node import Node
from labtorch.engine.op import Op, op
from labtorch.engine.thread import current
from labtorch.engine.variable import Variable

__all__ = ["Node", "Op", "Variable", "apply", "apply_inplace", "current", "op"]
