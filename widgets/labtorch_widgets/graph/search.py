"""Finding things in a graph by name, module, class, op or shape."""

from __future__ import annotations

from typing import Any

from .fold import Outline

MOST = 200  # matches that are listed


class Index:
    """What can be found, each as (key, title, where, text to search), in the order of the graph."""

    def __init__(self, outline: Outline) -> None:
        self._found: list[tuple[str, str, str, str]] = []
        seen: set[int] = set()
        for node in outline.nodes:
            path = ".".join(scope["name"] for scope in outline.path(node["id"]))
            for number in outline.around(node["id"]):
                region = outline.regions[number]
                if number in seen or region.kind in ("turn", "part"):
                    continue
                seen.add(number)
                scope = outline.scopes[region.scope] if region.scope is not None else None
                words = [region.title, region.type, scope["path"] if scope else f"× {region.times}"]
                self._add(region.key, f"{region.title} {region.type}".strip(), path, words)
            names = [node["name"], node["function"] or "", node["kind"], path, *_shapes(node)]
            title = node["name"] or node["kind"]
            self._add(outline.node_keys[node["id"]], title, path, names)

    def _add(self, key: str, title: str, where: str, words: list[str]) -> None:
        self._found.append((key, title, where, " ".join(words).lower()))

    def find(self, text: str) -> dict[str, Any]:
        """The matches of all the words in `text`, at most MOST of them, and how many there are."""
        words = text.lower().replace("×", "x").split()
        matches = [
            {"key": key, "title": title, "where": where}
            for key, title, where, known in self._found
            if words and all(word in known for word in words)
        ]
        return {"text": text, "total": len(matches), "matches": matches[:MOST]}


def _shapes(node: Any) -> list[str]:
    """A shape in the ways people write it: 64x10, (64, 10), [64, 10]."""
    sizes = [str(size) for size in node["shape"]]
    return ["x".join(sizes), " x ".join(sizes), f"({', '.join(sizes)})", f"[{', '.join(sizes)}]"]
