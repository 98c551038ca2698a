"""One repair on the line between kernel and browser, needed while training runs in a thread."""

from __future__ import annotations

from typing import Any


def answer_on_the_main_shell(comm: Any) -> None:
    """Let messages from the browser be handled where the kernel would by default.

    ipykernel 7.4 sends a comm's incoming messages to the (sub)shell that published last on that
    comm, remembering it per comm. A view publishes from a training thread, whose remembered
    parent may belong to a subshell that JupyterLab has closed by then, so the reply would wait
    for ever. Views answer nothing from the training thread, so the default is always right.
    """
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = lambda data, default: default
