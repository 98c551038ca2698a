"""The names of PyTorch's `torch.nn.modules.utils`."""

from __future__ import annotations

from typing import Any


def consume_prefix_in_state_dict_if_present(state_dict: dict[str, Any], prefix: str) -> None:
    """Take `prefix` away, in place, from the names of a state dict that begin with it.

    Names keep their order. DataParallel and DistributedDataParallel put "module." before the names
    of the model in them.

    >>> state = {"module.weight": 1, "bias": 2}
    >>> consume_prefix_in_state_dict_if_present(state, "module.")
    >>> state
    {'weight': 1, 'bias': 2}
    """
    for key in list(state_dict):
        state_dict[key.removeprefix(prefix)] = state_dict.pop(key)
    metadata = getattr(state_dict, "_metadata", {})
    for key in list(metadata):  # names of modules: "module" itself becomes the root, ""
        if f"{key}.".startswith(prefix):
            metadata[f"{key}.".removeprefix(prefix).rstrip(".")] = metadata.pop(key)
