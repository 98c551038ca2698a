"""The dashboard: a bar with the time and the choice of views, and the open views below it."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Any

import ipywidgets

from ..shared import svg, words
from ..shared.cursor import TimeCursor, cursor_of
from ..shared.numbers import number
from ..shared.view import View, bundle, with_still
from . import fit


class BarView(View):
    """Step, loss and time slider of all views, and which of them are open."""

    _esm = bundle("dashboard.js")
    _css = bundle("dashboard.css")

    def __init__(self, dashboard: Dashboard, cursor: TimeCursor, lang: str | None) -> None:
        self._dashboard = dashboard
        super().__init__(cursor, lang=lang)
        self.commands |= {"show": self._on_show, "language": words.language}
        self.refresh(now=True)

    def make_frame(self) -> dict[str, Any]:
        found = self.cursor.look()
        fitting = self._dashboard.fitting
        opened = self._dashboard.opened
        return {
            "time": self.cursor.span(),
            "title": self._dashboard.title,
            "step": found[0] if found else None,
            "loss": number(found[2]["loss"]) if found else None,
            "rate": number(found[2]["learning_rate"]) if found else None,
            "views": [
                {"name": name, "open": name in opened}
                for name in fit.KINDS
                if name in fitting or name in opened
            ],
        }

    def still(self) -> str:
        return svg.notice(words.word("watch.nothing", self.language))

    def summary(self) -> str:
        return "BarView()"

    def _on_show(self, name: str, open: bool) -> None:
        (self._dashboard.show if open else self._dashboard.hide)(str(name))


class Dashboard(ipywidgets.VBox):
    """The views of one model, under one cursor: see `labtorch_widgets.watch`."""

    def __init__(
        self,
        source: Any,
        *,
        views: Iterable[str] | None = None,
        inputs: Any = None,
        lang: str | None = None,
    ) -> None:
        self._open: dict[str, Any] = {}
        self.bar: BarView | None = None
        words.known(lang)
        chosen = None if views is None else [_known(name) for name in views]
        self._inputs, self._lang = inputs, lang
        # weakly: a dashboard that stands in a notebook does not keep its model alive
        self._model = weakref.ref(source) if hasattr(source, "named_modules") else None
        self._title = type(source).__name__ if self._model is not None else ""
        self.cursor = cursor_of(source)
        self._names: tuple[Any, set[str]] | None = None
        if chosen is None:
            chosen = [name for name in fit.fitting(self.names()) if fit.KINDS[name].at_first]
        for name in chosen:
            self._open[name] = self._make(name)
        self.bar = BarView(self, self.cursor, lang)
        super().__init__(layout=ipywidgets.Layout(overflow="visible", width="100%"))
        self._arrange()

    @property
    def recording(self) -> Any:
        """Everything kept of what the model did so far."""
        return self.cursor.recording

    @property
    def opened(self) -> list[str]:
        """The names of the open views, in the order they stand in."""
        return [name for name in fit.KINDS if name in self._open]

    @property
    def title(self) -> str:
        """The model's class; else that of the outermost module recorded."""
        if not self._title and (found := self.cursor.look()) is not None and found[1]["scopes"]:
            self._title = str(found[1]["scopes"][0]["type"])
        return self._title

    @property
    def model(self) -> Any:
        """The model that is watched; None where a recording is shown, or the model is gone."""
        return self._model() if self._model is not None else None

    @property
    def fitting(self) -> list[str]:
        """The names of the views that fit the model, open or not."""
        return fit.fitting(self.names())

    def names(self) -> set[str]:
        """The classes and ops by which views are chosen; looked up again when the graph changes."""
        found = self.cursor.look()
        key = found[1]["key"] if found else None
        if self._names is None or self._names[0] != key:
            self._names = key, fit.names_in(self.model, self.cursor)
        return self._names[1]

    def view(self, name: str) -> Any:
        """The open view `name`. Raises LookupError where it is not open."""
        if name not in self._open:
            raise LookupError(f"'{_known(name)}' is not open; there are {', '.join(self.opened)}")
        return self._open[name]

    def show(self, name: str) -> None:
        """Open the view `name` where it is not open yet."""
        if _known(name) not in self._open:
            self._open[name] = self._make(name)
            self._arrange()

    def hide(self, name: str) -> None:
        """Put the view `name` away: it costs nothing any more."""
        view = self._open.pop(_known(name), None)
        if view is not None:
            self._arrange()
            view.close()

    def close(self) -> None:
        for view in (*self._open.values(), *([self.bar] if self.bar else [])):
            view.close()
        super().close()

    def _make(self, name: str) -> Any:
        view = fit.KINDS[name].make(self, self._inputs, self._lang)
        view.timeline = False  # the bar has the slider of all
        return view

    def _arrange(self) -> None:
        self.children = (self.bar, *(self._open[name] for name in self.opened))
        if self.bar is not None:
            self.bar.refresh(now=True)

    def __repr__(self) -> str:
        return f"Dashboard({', '.join(self.opened)})"

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        stills = [self._open[name].still() for name in self.opened]
        nothing = words.word("watch.nothing", words.known(self._lang))
        still = svg.stacked(stills) if stills else svg.notice(nothing)
        return with_still(super()._repr_mimebundle_(**kwargs), repr(self), still)


def _known(name: str) -> str:
    if name not in fit.KINDS:
        raise ValueError(f"no view '{name}': there are {', '.join(fit.KINDS)}")
    return name
