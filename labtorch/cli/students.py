"""A student's notebook is made from its solution: the marked lines go, a stub takes their place.

In a code cell of a solution,

    def slope(x, y):
        ### BEGIN SOLUTION
        return ...
        ### END SOLUTION

becomes `raise NotImplementedError(...)` at the same indent. Cells tagged `exercise-check` stay as
they are: in the student's notebook they fail until the exercise is solved. Outputs of cells that
need a solution go, those of all others stay.
"""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

CHECK_TAG = "exercise-check"
MARKED = re.compile(
    r"^([ \t]*)### BEGIN SOLUTION\n.*?^[ \t]*### END SOLUTION[ \t]*\n?", re.DOTALL | re.MULTILINE
)
STUB = 'raise NotImplementedError("your solution goes here · 在此写下解答")'


def student(solution: Any) -> Any:
    """The student's version of a solution notebook."""
    notebook = copy.deepcopy(solution)
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        stubbed = MARKED.sub(lambda mark: f"{mark[1]}{STUB}\n", cell.source).rstrip("\n")
        if stubbed != cell.source or CHECK_TAG in cell.metadata.get("tags", []):
            cell.outputs, cell.execution_count = [], None
        cell.source = stubbed
    return notebook


def write_students(folder: Path) -> list[Path]:
    """Make the student's notebooks of a language folder from its `solutions/`."""
    import nbformat

    written = []
    for path in sorted((folder / "solutions").glob("*.ipynb")):
        target = folder / path.name
        nbformat.write(student(nbformat.read(path, as_version=4)), target)
        written.append(target)
    return written
