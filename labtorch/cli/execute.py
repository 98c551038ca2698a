"""Notebooks are saved as they ran: executed, without widget state, small, with views at rest.

A view's still is drawn when its cell ends; a training goes on after that. So once all cells have
run, the stills of all views are drawn again, from the same kernel.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

VIEW = "application/vnd.jupyter.widget-view+json"
STILLS = """
import json as _json
from ipywidgets import Widget as _Widget
def _still(model):
    try:
        bundle = _Widget.widgets[model]._repr_mimebundle_()
    except ReferenceError:  # the box of a progress bar that is gone
        return None
    return (bundle[0] if isinstance(bundle, tuple) else bundle).get("image/svg+xml")
print(_json.dumps({model: _still(model) for model in %s}))
"""


def execute(path: Path, timeout: int = 120) -> None:
    """Run a notebook in its folder and save it with its outputs."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=timeout,
        store_widget_state=False,
        record_timing=False,
        resources={"metadata": {"path": str(path.parent)}},
    )
    with client.setup_kernel():
        for number, cell in enumerate(notebook.cells):
            client.execute_cell(cell, number)
        views = [(output.data, output.data.pop(VIEW)["model_id"]) for output in _views(notebook)]
        question = nbformat.v4.new_code_cell(STILLS % json.dumps([model for _, model in views]))
        notebook.cells.append(question)
        client.execute_cell(question, len(notebook.cells) - 1)
        notebook.cells.pop()
    stills = json.loads("".join(o.text for o in question.outputs if o.name == "stdout"))
    for data, model in views:
        if stills[model]:
            data["image/svg+xml"] = stills[model]
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    notebook.metadata = nbformat.from_dict(
        {"kernelspec": kernel, "language_info": {"name": "python"}}
    )
    nbformat.write(notebook, path)


def _views(notebook: Any) -> Iterator[Any]:
    """The outputs that are live views."""
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if VIEW in output.get("data", {}):
                yield output
