"""What can be opened and closed: the modules of a graph, its repeats, and parts of long sequences.

The regions form a tree. Each call of a module is one; repeats stand between a module and what it
calls again and again; a turn is one time of a repeat, where several things make it up; a part is
a stretch of a sequence that is too long to be shown at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .repeats import Repeat, repeats

WORTH = 8  # ops that a repeat has to hold: a smaller one is as easily read in full
ASIDE = 3  # ops beside a module in one time of a repeat that need no frame of their own
LONG = 150  # things in one region beyond which they are shown in parts
PART = 50  # things in one part

MARKS = {"repeat": "×", "turn": "", "part": "…"}  # in keys, before the title

Unit = tuple[str, int]  # ("op", node) or ("region", region): what a region consists of, in order


@dataclass
class Region:
    """A frame when open, a box when closed. Its number is its place in `Tree.regions`."""

    kind: str  # "module", "repeat", "turn" or "part"
    key: str
    parent: int | None
    title: str
    type: str = ""
    scope: int | None = None  # of a module: its place in the graph's scopes
    times: int = 0  # of a repeat
    units: list[Unit] = field(default_factory=list)
    turns: dict[Unit, int] = field(default_factory=dict)  # of a repeat: which time a unit is of
    loop: list[Any] = field(default_factory=list)  # of a repeat: edges from one time to the next


class Tree:
    """The regions of a graph. `place[node]` is the innermost region of each node, if any."""

    def __init__(self, graph: Any, homes: list[int | None], keys: list[str]) -> None:
        """`homes` says in which scope each node is; `keys` are the scopes' keys."""
        self._graph = graph
        self.regions = [
            Region("module", key, scope["parent"], scope["name"], scope["type"], scope["id"])
            for scope, key in zip(graph["scopes"], keys, strict=True)
        ]
        self.place = list(homes)
        self._taken: Counter[str] = Counter()
        self._numbers: dict[Any, int] = {}
        self._read()
        for region in [None, *range(len(graph["scopes"]))]:
            self._fold_repeats(region)
        for number in range(-1, len(self.regions)):
            self._fold_parts(None if number < 0 else number)
        self.chains = self._chains()
        self._place_leaves()
        self._find_loops()

    def chain(self, region: int | None) -> list[int]:
        """The regions around and with this one, outermost first."""
        return [] if region is None else self.chains[region]

    # Reading the graph

    def _read(self) -> None:
        """What each region consists of, in order of execution; tensors without an op stay out."""
        nodes, scopes = self._graph["nodes"], self._graph["scopes"]
        self._top: list[Unit] = []
        seen: set[int] = set()
        for node in nodes:
            if node["kind"] != "op":
                continue
            inner: Unit = ("op", node["id"])
            scope = self.place[node["id"]]
            while True:
                self._units(scope).append(inner)
                if scope is None or scope in seen:
                    break
                seen.add(scope)
                inner, scope = ("region", scope), scopes[scope]["parent"]
        self._takes: list[list[Any]] = [[] for _ in nodes]
        for edge in self._graph["edges"]:
            self._takes[edge["target"]].append(edge)
        structures: dict[int, int] = {}
        for region in range(len(scopes) - 1, -1, -1):  # what is inside is numbered after
            inside = tuple(self._structure(unit, structures) for unit in self.regions[region].units)
            structures[region] = self._number(("module", scopes[region]["type"], inside))
        self._structures = structures

    def _units(self, region: int | None) -> list[Unit]:
        return self._top if region is None else self.regions[region].units

    def _number(self, label: Any) -> int:
        return self._numbers.setdefault(label, len(self._numbers))

    def _structure(self, unit: Unit, structures: dict[int, int]) -> int:
        """Equal for units that are built alike, whatever their parameters."""
        kind, at = unit
        if kind == "region":
            return structures[at]
        node = self._graph["nodes"][at]
        shapes = tuple(tuple(edge["shape"]) for edge in self._takes[at])
        return self._number(
            ("op", node["name"], node["function"], tuple(node["shape"]), node["dtype"], shapes)
        )

    def _identity(self, unit: Unit) -> int:
        """Equal for calls of one module, and for ops that are alike on the same parameters."""
        kind, at = unit
        structure = self._structure(unit, self._structures)
        if kind == "region":
            scope = self._graph["scopes"][at]
            return self._number(("call", structure, scope["path"], scope["name"]))
        nodes = self._graph["nodes"]
        held = tuple(e["source"] for e in self._takes[at] if nodes[e["source"]]["kind"] != "op")
        held = tuple(each for each in held if nodes[each]["kind"] in ("parameter", "buffer"))
        return self._number(("call", structure, held))

    # Repeats

    def _fold_repeats(self, region: int | None) -> None:
        """First what is called again and again, then what is built alike."""
        for same in (True, False):
            units = self._units(region)
            if len(units) < 3:
                return
            labels = [
                -2 - i
                if unit[0] == "region" and self.regions[unit[1]].kind == "repeat"
                else self._identity(unit) if same else self._structure(unit, self._structures)
                for i, unit in enumerate(units)
            ]  # fmt: skip
            found = repeats(labels, lambda repeat: self._worth(repeat, units, same))  # noqa: B023
            for repeat in reversed(found):
                self._fold_repeat(region, units, repeat, same)

    def _worth(self, repeat: Repeat, units: list[Unit], same: bool) -> bool:
        period = units[repeat.start : repeat.start + repeat.period]
        modules = [at for kind, at in period if kind == "region"]
        held = sum(self._ops(at) for at in modules) + len(period) - len(modules)
        return held * repeat.times >= WORTH and (same or bool(modules))

    def _ops(self, region: int) -> int:
        units = self.regions[region].units
        return sum(1 if kind == "op" else self._ops(at) for kind, at in units)

    def _fold_repeat(
        self, region: int | None, units: list[Unit], repeat: Repeat, same: bool
    ) -> None:
        members = units[repeat.start : repeat.stop]
        title, kind = self._called(members[: repeat.period], same)
        at = self._add("repeat", region, title, kind, members, repeat.times)
        units[repeat.start : repeat.stop] = [("region", at)]
        turns = [
            members[start : start + repeat.period]
            for start in range(0, len(members), repeat.period)
        ]
        modules = sum(kind == "region" for kind, _ in turns[0])
        framed = repeat.period > 1 and not (modules == 1 and repeat.period <= 1 + ASIDE)
        whole = self.regions[at]
        if framed:
            whole.units = []
            for number, turn in enumerate(turns):
                frame = self._add("turn", at, f"#{number + 1}", "", turn)
                whole.units.append(("region", frame))
                whole.turns["region", frame] = number
        else:
            for number, turn in enumerate(turns):
                whole.turns.update((unit, number) for unit in turn)

    def _called(self, period: Sequence[Unit], same: bool) -> tuple[str, str]:
        """The title and the type of a repeat: what its modules are called, or its ops."""
        modules = [self.regions[at] for kind, at in period if kind == "region"]
        if len(modules) == 1:
            return (modules[0].title, modules[0].type) if same else (modules[0].type, "")
        if modules:
            return _listed([each.title if same else each.type for each in modules]), ""
        nodes = [self._graph["nodes"][at] for _, at in period]
        functions = {node["function"] for node in nodes}
        if len(functions) == 1 and None not in functions:
            return functions.pop(), ""
        return _listed([node["name"] for node in nodes]), ""

    def _add(
        self,
        kind: str,
        parent: int | None,
        title: str,
        type: str,
        units: list[Unit],
        times: int = 0,
    ) -> int:
        """A new region around `units`, which are taken from where they were."""
        around = "" if parent is None else self.regions[parent].key
        key = f"{around}/{MARKS[kind]}{title}"
        self._taken[key] += 1
        if self._taken[key] > 1:
            key = f"{key}#{self._taken[key]}"
        number = len(self.regions)
        self.regions.append(Region(kind, key, parent, title, type, times=times, units=list(units)))
        for unit, at in units:
            if unit == "op":
                self.place[at] = number
            else:
                self.regions[at].parent = number
        return number

    # Parts

    def _fold_parts(self, region: int | None) -> None:
        """Cut what is too long to be shown at once into parts, and these again if need be."""
        units = self._units(region)
        turns = {} if region is None else self.regions[region].turns
        while len(units) > LONG:
            parts: list[Unit] = []
            for start in range(0, len(units), PART):
                piece = units[start : start + PART]
                title = f"{start + 1}–{start + len(piece)}"
                part: Unit = ("region", self._add("part", region, title, "", piece))
                parts.append(part)
                turns.update({part: turns[piece[0]]} if turns else {})
            units[:] = parts

    # The tree

    def _chains(self) -> list[list[int]]:
        chains: list[list[int]] = [[] for _ in self.regions]

        def chain(number: int) -> list[int]:
            if not chains[number]:
                parent = self.regions[number].parent
                chains[number] = [*([] if parent is None else chain(parent)), number]
            return chains[number]

        for number in range(len(self.regions)):
            chain(number)
        return chains

    def _place_leaves(self) -> None:
        """A tensor that no op made lives in the innermost region around all that use it: of a
        module's parameters, all the module's calls."""
        nodes, scopes = self._graph["nodes"], self._graph["scopes"]
        users: dict[int, list[int]] = {}
        for edge in self._graph["edges"]:
            if nodes[edge["source"]]["kind"] in ("parameter", "buffer", "constant"):
                users.setdefault(edge["source"], []).append(edge["target"])
        for leaf, targets in users.items():
            home = nodes[leaf]["scope"]
            own = targets
            if home is not None:
                owner = (scopes[home]["path"], scopes[home]["type"])
                own = [each for each in targets if owner in self._calls_around(each)] or targets
            self.place[leaf] = self._common(own)

    def _calls_around(self, node: int) -> list[tuple[str, str]]:
        regions = (self.regions[each] for each in self.chain(self.place[node]))
        scopes = (self._graph["scopes"][r.scope] for r in regions if r.scope is not None)
        return [(scope["path"], scope["type"]) for scope in scopes]

    def _common(self, nodes: Sequence[int]) -> int | None:
        common = None
        for level in zip(*(self.chain(self.place[node]) for node in nodes), strict=False):
            if len(set(level)) > 1:
                break
            common = level[0]
        return common

    def _find_loops(self) -> None:
        """A repeat of one and the same thing, each time on what the time before made, is a loop."""
        if not any(region.kind == "repeat" for region in self.regions):
            return
        nodes = self._graph["nodes"]
        parameters = [self.place[node["id"]] for node in nodes if node["kind"] == "parameter"]
        shared = set(parameters)
        holding = {region for place in shared for region in self.chain(place)}
        for edge in self._graph["edges"]:
            source, target = edge["source"], edge["target"]
            common = self._common((source, target))
            if common is None or self.regions[common].kind != "repeat":
                continue
            # of parameters of its own each time, it is no loop but a stack
            if common in holding and common not in shared:
                continue
            if [self._turn(common, node) for node in (source, target)] == [0, 1]:
                self.regions[common].loop.append(edge)

    def _turn(self, repeat: int, node: int) -> int | None:
        turns = self.regions[repeat].turns
        chain = self.chain(self.place[node])
        inner = chain[chain.index(repeat) + 1 :]
        return turns.get(("region", inner[0]) if inner else ("op", node))


def _listed(names: list[str]) -> str:
    different = list(dict.fromkeys(names))
    return ", ".join(different[:3]) + ("…" if len(different) > 3 else "")
