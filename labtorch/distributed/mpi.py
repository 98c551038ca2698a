"""MPI, through mpi4py: a communicator whose waiting can end.

MPI's own blocking calls wait for ever for a rank that is gone, in a loop that takes a whole
processor and hears no Ctrl-C. So every operation is started without blocking and polled, with
growing pauses; between two looks a rank listens for others that report their end.
"""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np

INSTALL = 'torch.distributed needs mpi4py and an MPI: pip install "labtorch[parallel]"'
FAST = 200  # looks without a pause: a small message between idle processors takes microseconds
LONGEST_PAUSE = 1e-3  # seconds
BETWEEN_NEWS = 0.05  # seconds
GRACE = 2.0  # seconds in which what a rank took part in before it left may still arrive
FAREWELL, FAILURE = 1, 2  # tags


def library() -> Any:
    """mpi4py's MPI; importing it starts MPI."""
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:  # not installed; installed without an MPI
        raise RuntimeError(f"{INSTALL} ({error})") from None
    return MPI


class Lost(RuntimeError):
    """Another rank failed or left, so that what this one waits for will not come."""


class World:
    """All ranks of the job, and what they tell each other beside the work."""

    def __init__(self, timeout: float) -> None:
        MPI = library()
        self.timeout = timeout
        self.lost: str | None = None  # why this world is of no more use
        self.left: dict[int, float] = {}  # ranks that said farewell, and when that was heard
        self.news: Any = None
        request, self.comm = self._meet(MPI.COMM_WORLD)
        self.wait(request, "init_process_group")
        request, news = self._meet(self.comm)
        self.wait(request, "init_process_group")
        self.news = news
        self.rank, self.size = self.comm.Get_rank(), self.comm.Get_size()

    @staticmethod
    def _meet(comm: Any) -> tuple[Any, Any]:
        duplicate, request = comm.Idup()
        return request, duplicate

    def wait(self, request: Any, what: str, timeout: float | None = None) -> Any:
        """Poll `request` to its end, and give MPI's status of it."""
        if self.lost is not None:
            raise Lost(self.lost)
        status = library().Status()
        looks, begun = 0, time.monotonic()
        heard = begun
        limit = self.timeout if timeout is None else timeout
        while not request.Test(status):
            looks += 1
            if looks < FAST:
                continue
            time.sleep(min(LONGEST_PAUSE, 1e-6 * (looks - FAST)))
            now = time.monotonic()
            if now - heard > BETWEEN_NEWS:
                heard = now
                self._listen(what)
                if now - begun > limit:
                    self.lost = (
                        f"{what} waited {limit:g} seconds for the other ranks: did each of them "
                        "call it, as often as this one?"
                    )
                    raise Lost(self.lost)
        return status

    def _listen(self, what: str) -> None:
        """Raise if another rank has failed, or has left this one waiting."""
        MPI = library()
        status = MPI.Status()
        while self.news is not None and self.news.Iprobe(MPI.ANY_SOURCE, MPI.ANY_TAG, status):
            source, tag = status.Get_source(), status.Get_tag()
            text = self.news.recv(source=source, tag=tag)
            if tag == FAILURE:
                self.lost = f"rank {source} failed while this one was in {what}: {text}"
                raise Lost(self.lost)
            self.left[source] = time.monotonic()
        for source, heard in self.left.items():
            if time.monotonic() - heard > GRACE:
                self.lost = f"rank {source} has ended, and this one waits for it in {what}"
                raise Lost(self.lost)

    def tell(self, tag: int, text: str = "") -> None:
        """Tell all others, without waiting for them to hear."""
        for peer in range(self.size):
            if peer != self.rank:
                self.news.isend(text, dest=peer, tag=tag)


class Ending:
    """What a rank does when it ends: a failure ends the job, and nobody waits for one that left."""

    def __init__(self, world: World) -> None:
        self.world: World | None = world
        self.shell: Any = None
        self.excepthook: Callable[..., Any] = sys.excepthook
        shell = sys.modules.get("IPython") and sys.modules["IPython"].get_ipython()
        if shell:  # a notebook's process lives on after an error
            self.shell = shell
            shell.set_custom_exc((Exception,), self._in_a_notebook)
        else:
            sys.excepthook = self._uncaught

    def _uncaught(self, kind: type[BaseException], error: BaseException, trace: Any) -> None:
        world = self.world
        if world is not None and world.size > 1:
            print(f"rank {world.rank} of {world.size} failed:", file=sys.stderr)
        self.excepthook(kind, error, trace)
        if world is None or world.size == 1:
            return
        sys.stderr.flush()
        sys.stdout.flush()
        if not isinstance(error, Lost):
            world.tell(FAILURE, _last_line(error))
        time.sleep(1)  # seconds for the others to hear, and to say so
        world.comm.Abort(1)

    def _in_a_notebook(self, shell: Any, kind: Any, error: Any, trace: Any, offset: Any = None):
        shell.showtraceback((kind, error, trace), tb_offset=offset)
        if self.world is not None and not isinstance(error, Lost) and self.world.lost is None:
            self.world.tell(FAILURE, _last_line(error))

    def farewell(self) -> None:
        """The program has ended; others that still count on this rank shall not wait for it."""
        world, self.world = self.world, None
        if world is not None and world.lost is None:
            world.tell(FAREWELL)

    def undo(self) -> None:
        """The ranks part in peace."""
        self.world = None
        if self.shell is not None:
            self.shell.set_custom_exc((), None)
        elif sys.excepthook == self._uncaught:
            sys.excepthook = self.excepthook


def _last_line(error: BaseException) -> str:
    return traceback.format_exception_only(error)[-1].strip()


# ---------------------------------------------------------------- arrays as MPI takes them
def bytes_of(array: np.ndarray) -> list:
    """A contiguous array as bytes: to move numbers, their kind does not matter."""
    return [array.reshape(-1).view(np.uint8), library().BYTE]


def operation(name: str) -> Any:
    """MPI's operation for one of ReduceOp's names."""
    MPI = library()
    names = {"SUM": MPI.SUM, "AVG": MPI.SUM, "PRODUCT": MPI.PROD, "MIN": MPI.MIN, "MAX": MPI.MAX}
    names |= {"BAND": MPI.BAND, "BOR": MPI.BOR, "BXOR": MPI.BXOR}
    return names[name]
