"""A name only: PyTorch's older path to `labtorch.ao.nn.intrinsic`, a room above this one."""

import importlib
import sys

sys.modules[__name__] = importlib.import_module("labtorch.ao.nn.intrinsic")
