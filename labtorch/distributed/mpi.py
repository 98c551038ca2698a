"""MPI, through mpi4py: a communicator whose waiting can end.

MPI's own blocking calls wait for ever for a rank that is gone, in a loop that takes a whole
processor and hears no Ctrl-C. So every operation is started without blocking and polled, with
growing pauses; between two looks a rank listens for others that report their end.
"""

from __future__ import annotations

import time
import traceback
from typing import Any

import numpy as np

INSTALL = 'torch.distributed needs mpi4py and an MPI: pip install "labtorch[parallel]"'
FAST = 200  # looks without a pause: a small message between idle processors takes microseconds
LONGEST_PAUSE = 1e-3  # seconds
BETWEEN_NEWS = 0.05  # seconds
GRACE = 2.0  # seconds in which what an absent rank has sent may arrive, or it may return
ABSENCE, RETURN, FAILURE = 1, 2, 3  # tags


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
        self.absent: dict[int, tuple[float, str]] = {}  # by rank: since when, and what it said
        self.failed = False  # this rank itself, which may go on: in a notebook
        self.news: Any = None
        request, self.comm = self._meet(MPI.COMM_WORLD)
        self.wait(request, "init_process_group")
        request, news = self._meet(self.comm)
        self.wait(request, "init_process_group")
        self.rank, self.size = self.comm.Get_rank(), self.comm.Get_size()
        self.news = news

    @staticmethod
    def _meet(comm: Any) -> tuple[Any, Any]:
        duplicate, request = comm.Idup()
        return request, duplicate

    def wait(self, request: Any, what: str, timeout: float | None = None) -> Any:
        """Poll `request` to its end, and give MPI's status of it."""
        if self.lost is not None:
            raise Lost(self.lost)
        self.goes_on()
        status = library().Status()
        limit = self.timeout if timeout is None else timeout
        try:
            self._poll(request, status, what, limit)
        except KeyboardInterrupt:
            self.gives_up(f"rank {self.rank} was interrupted")
            raise
        return status

    def _poll(self, request: Any, status: Any, what: str, limit: float) -> None:
        looks, begun = 0, time.monotonic()
        heard = begun
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
                    why = f"waited {limit:g} seconds for the other ranks"
                    self.gives_up(f"rank {self.rank} {why} in {what}")
                    raise Lost(f"{what} {why}: did each of them call it, as often as this one?")

    # ------------------------------------------------------------ what ranks tell each other
    def _listen(self, what: str) -> None:
        """Raise if another rank has failed, or has left this one waiting."""
        MPI = library()
        status = MPI.Status()
        while self.news is not None and self.news.Iprobe(MPI.ANY_SOURCE, MPI.ANY_TAG, status):
            source, tag = status.Get_source(), status.Get_tag()
            text = self.news.recv(source=source, tag=tag)
            if tag == FAILURE:
                self.gives_up(text)
                raise Lost(f"{text} (this rank was in {what})")
            if tag == RETURN:
                self.absent.pop(source, None)
            else:
                self.absent[source] = time.monotonic(), text
        for source, (since, text) in self.absent.items():
            if time.monotonic() - since > GRACE:
                self.gives_up(f"rank {source} {text}")
                raise Lost(f"rank {source} {text}, and this one waited for it in {what}")

    def tell(self, tag: int, text: str = "") -> None:
        """Tell all others, without waiting for them to hear."""
        for peer in range(self.size):
            if self.news is not None and peer != self.rank:
                self.news.isend(text, dest=peer, tag=tag)

    def fails(self, error: BaseException) -> None:
        """In a notebook: this rank has stopped, but may take part again in the next cell."""
        if self.lost is None:
            self.failed = True
            self.tell(ABSENCE, f"failed: {last_line(error)}")

    def goes_on(self) -> None:
        if self.failed:
            self.failed = False
            self.tell(RETURN)

    def gives_up(self, why: str) -> None:
        """A message stays unanswered: from here on, the ranks would misunderstand each other."""
        self.tell(FAILURE, why)
        self.lost = (
            f"the ranks have been out of step since one stopped in the middle ({why}); to begin "
            "anew, call destroy_process_group() and init_process_group() on every rank"
        )


def last_line(error: BaseException) -> str:
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
