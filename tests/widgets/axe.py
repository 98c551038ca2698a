"""What axe-core, the accessibility checker, finds in the views."""

from __future__ import annotations

from typing import Any


def serious(page: Any) -> list[str]:
    """Its serious and critical findings inside labtorch's views, one line each."""
    from axe_playwright_python.sync_playwright import Axe

    results = Axe().run(page, context={"include": [[".lt-view"]]})
    return [
        f"{found['id']}: {found['help']}: {node['html'][:160]}"
        for found in results.response["violations"]
        if found["impact"] in ("serious", "critical")
        for node in found["nodes"]
    ]
