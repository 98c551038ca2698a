"""A progress bar for loops that somebody wrote by hand."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Any

from ..shared.cursor import cursor_of
from ..shared.numbers import spoken


def progress(iterable: Iterable[Any] | None = None, *, show: Any = None, **options: Any) -> Any:
    """A tqdm bar around `iterable` that says the newest loss, too.

    >>> for x, y in lab.progress(loader, show=model):  # doctest: +SKIP
    ...     train_on(x, y)

    `show` is a model (watched from then on), a recording or a training panel; `options` are
    tqdm's (`desc`, `total`, `leave`, ...), and what comes back is a tqdm bar with all its methods.
    In a notebook the bar is a widget, whose text in the file is that of the beginning: running
    the notebook again changes nothing, and nbval finds it stable. In a terminal the bar is written
    to stderr; `disable=True` keeps it quiet.

    Raises ImportError without tqdm, TypeError for a `show` that is none of these.
    """
    try:
        from tqdm.auto import tqdm
    except ImportError:
        raise ImportError("lab.progress needs tqdm: pip install labtorch[lab]") from None
    cursor = None if show is None else cursor_of(show)
    bar = tqdm(iterable, **options)
    if cursor is None or bar.disable:
        return bar
    recording, told = cursor.recording, weakref.ref(bar)

    def heard() -> None:
        shown = told()
        if shown is None or shown.disable:  # closed, or gone
            end()
        elif losses := recording.losses[-1:]:
            shown.set_postfix(loss=spoken(losses[0][1], 4), refresh=False)

    end = recording.listen(heard)
    return bar
