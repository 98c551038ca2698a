"""The graph as a file, or as a `graphviz.Digraph`: SVG, PNG, DOT, and a page that stands alone."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

from ..shared.numbers import shape_text, spoken
from ..shared.words import word
from .fold import Folded, Group
from .layout import _graphviz, called, edge_text

FORMATS = ("svg", "png", "dot", "html")
PAGE = Path(__file__).with_name("page.html")
KINDS = {
    "op": ("box", "#5b6670", "#ffffff"),
    "scope": ("box3d", "#5b6670", "#eef0f2"),
    "parameter": ("box", "#7a4fb0", "#f3eef9"),
    "buffer": ("box", "#7a4fb0", "#ffffff"),
    "input": ("box", "#23785a", "#ebf4f0"),
    "constant": ("box", "#6b7280", "#ffffff"),
}


def digraph(folded: Folded, subtitles: dict[str, str] | None = None) -> Any:
    """What is seen as a `graphviz.Digraph` that renders without a system `dot`, too.

    Raises ImportError where the package `graphviz` is not installed.
    """
    drawing = _class()(
        "labtorch",
        graph_attr={"rankdir": "TB", "nodesep": "0.28", "ranksep": "0.5", "fontname": "Helvetica"},
        node_attr={"fontname": "Helvetica", "fontsize": "11", "margin": "0.12,0.06"},
        edge_attr={"fontname": "Helvetica", "fontsize": "9", "color": "#7d8790"},
    )
    names = {item.key: f"n{at}" for at, item in enumerate(folded.items)}
    inside: dict[str | None, list[Group]] = {}
    for group in folded.groups:
        inside.setdefault(group.parent, []).append(group)

    def fill(part: Any, parent: str | None) -> None:
        for item in folded.items:
            if item.parent != parent:
                continue
            shape, line, ground = KINDS[item.kind]
            lines = [called(item), (subtitles or {}).get(item.key, "")]
            style = "rounded,filled" if item.kind in ("parameter", "buffer") else "filled"
            part.node(
                names[item.key],
                _quoted("\n".join(filter(None, lines))),
                shape=shape,
                color=line,
                fillcolor=ground,
                style=style,
            )
        for group in inside.get(parent, []):
            number = folded.groups.index(group)
            with part.subgraph(name=f"cluster_{number}") as cluster:
                cluster.attr(
                    label=_quoted(called(group)),
                    labeljust="l",
                    color="#b6bec7",
                    style="rounded",
                    fontsize="11",
                )
                fill(cluster, group.key)

    fill(drawing, None)
    for link in folded.links:
        drawing.edge(names[link.source], names[link.target], _quoted(" " + edge_text(link)))
    return drawing


def _quoted(text: str) -> str:
    """Text for DOT, in which a backslash begins an escape."""
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _class() -> type:
    import graphviz

    class Digraph(graphviz.Digraph):
        """A Digraph drawn by the Graphviz in pygraphviz, so that no `dot` has to be installed."""

        def pipe(
            self,
            format: str | None = None,
            renderer: str | None = None,
            formatter: str | None = None,
            neato_no_op: bool | int | None = None,
            quiet: bool = False,
            *,
            engine: str | None = None,
            encoding: str | None = None,
        ) -> Any:
            content = drawn(self.source, format or self.format, engine or self.engine)
            return content if encoding is None else content.decode(encoding)

        def render(self, filename: Any = None, directory: Any = None, **options: Any) -> str:
            """Write the picture (and the source beside it, unless cleanup=True); its path."""
            target = Path(self.save(filename, directory=directory))
            kind = options.get("format") or self.format
            picture = target.with_name(f"{target.name}.{kind}")
            write(picture, drawn(self.source, kind, self.engine))
            if options.get("cleanup"):
                target.unlink()
            return str(picture)

        def _repr_image_svg_xml(self) -> str:
            return self.pipe(format="svg", encoding="utf-8")

    return Digraph


def drawn(source: str, format: str, engine: str = "dot") -> bytes:
    """DOT, drawn by Graphviz."""
    import pygraphviz

    with _graphviz:
        content = pygraphviz.AGraph(string=source).draw(format=format, prog=engine)
    return content if isinstance(content, bytes) else content.encode()


def page(svg: str, title: str, heads: list[str], rows: list[list[str]], lang: str) -> str:
    """A page of its own: the picture, which a pointer or keys move and enlarge, and the table."""
    head = "".join(f"<th scope=col>{escape(each)}</th>" for each in heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    values = {
        "LANG": lang,
        "TITLE": escape(title),
        "HELP": escape(word("graph.pageHelp", lang)),
        "NODES": escape(word("graph.pageNodes", lang)),
        "FIT": escape(word("graph.fit", lang)),
        "SVG": svg,
        "HEAD": head,
        "BODY": body,
    }
    text = PAGE.read_text(encoding="utf-8")
    for name, value in values.items():
        text = text.replace("{{" + name + "}}", value)
    return text


def table(outline: Any, row: Callable[[int], Any], lang: str) -> tuple[list[str], list[list[str]]]:
    """The nodes as rows of text, under the heads that the view's table has."""
    names = ("node", "kind", "module", "shape", "mean", "std", "gradient")
    rows = []
    for node in outline.nodes:
        value, grad = row(node["id"])["value"], row(node["id"])["grad"]
        rows.append(
            [
                node["name"] or node["kind"],
                word(f"graph.kind.{node['kind']}", lang),
                ".".join(scope["name"] for scope in outline.path(node["id"])) or "–",
                shape_text(node["shape"]),
                spoken(value["mean"], 4) if value else "–",
                spoken(value["std"], 4) if value else "–",
                spoken(grad["norm"], 4) if grad else "–",
            ]
        )
    return [word(f"table.{name}", lang) for name in names], rows


def format_of(path: str | os.PathLike) -> str:
    """The format that a path asks for. Raises ValueError for one that is not offered."""
    suffix = Path(path).suffix.lower().removeprefix(".")
    if suffix not in FORMATS:
        offered = ", ".join(f".{each}" for each in FORMATS)
        raise ValueError(f"cannot write '{path}': its name has to end with one of {offered}")
    return suffix


def write(path: str | os.PathLike, content: bytes) -> None:
    """All of it or nothing: a reader never sees half a file."""
    target = Path(path)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
