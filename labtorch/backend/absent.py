"""What to say of a name of PyTorch's that is not here: the nearest thing that is."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable
from typing import Any

_DENSE = "all tensors are dense here; indices and values can be two tensors"
_EAGER = "no graph is traced here: a model's .qconfig, prepare() and convert() do it (eager mode)"
HINTS = {
    "sparse": _DENSE,
    "sparse_coo_tensor": _DENSE,
    "sparse_csr_tensor": _DENSE,
    "spmm": "all tensors are dense here: torch.mm",
    "nested": "tensors of one nn.utils.rnn.pad_sequence and a mask do it here",
    "hub": "build the model in Python and give its load_state_dict() the weights",
    "fx": "labtorch.observe.record() holds the graph of what ran",
    "export": "torch.onnx.export writes models for other runtimes; labtorch.observe.record() holds "
    "the graph of what ran",
    "quantization.QConfigMapping": _EAGER,
    "quantization.get_default_qconfig_mapping": _EAGER,
    "quantization.get_default_qat_qconfig_mapping": _EAGER,
}


def explains(
    space: str,
    have: dict[str, Any],
    later: tuple[str, ...] = (),
    most: int = 3,
    cutoff: float = 0.7,
) -> Callable[[str], Any]:
    """A module's `__getattr__`, for names that `have`, its namespace, does not hold.

    Submodules named in `later` are imported when they are first asked for. At `most`
    so many names are suggested, which are alike by `cutoff`, from 0 to 1.
    """

    def __getattr__(name: str) -> Any:
        if name in later:
            return importlib.import_module(f"{have['__name__']}.{name}")
        path = f"{space}.{name}" if space else name
        message = f"module 'labtorch{'.' + space if space else ''}' has no attribute '{name}'"
        if not name.startswith("_"):
            if path in HINTS:
                message += f": {HINTS[path]}"
            else:
                public = [each for each in (*have, *later) if not each.startswith("_")]
                near = difflib.get_close_matches(name, public, most, cutoff)
                message += f": is it {' or '.join(near)}?" if near else ""
        raise AttributeError(message, name=name)

    return __getattr__
