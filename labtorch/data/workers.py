"""Worker processes that load samples while the caller trains.

Each worker has a queue of tasks of its own; results come back through one queue and are handed on
in the order of their tasks. Where the system can fork, a worker is a copy of the caller's process,
so that a dataset defined in a notebook needs no file of its own.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import pickle
import queue
import random
import sys
import time
import traceback
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from labtorch.backend import threads
from labtorch.data.loader import Ended
from labtorch.data.position import random_states, set_random_states
from labtorch.tensor.random import manual_seed

LOOK = 1.0  # seconds after which a silent worker is looked at


@dataclass
class WorkerInfo:
    """What a worker knows of itself: see `get_worker_info`."""

    id: int
    num_workers: int
    seed: int
    dataset: Any


_info: WorkerInfo | None = None


def get_worker_info() -> WorkerInfo | None:
    """In a worker process: its number, their count, its seed, its dataset; else None.

    An iterable dataset asks here which share of the stream is its own.
    """
    return _info


class _Failure:
    """An exception in a worker, on its way to the caller."""

    def __init__(self, error: BaseException, worker: int) -> None:
        self.kind, self.worker = type(error), worker
        self.text = "".join(traceback.format_exception(error))

    def reraise(self) -> None:
        message = (
            f"Caught {self.kind.__name__} in DataLoader worker process {self.worker}.\n"
            f"Original {self.text}"
        )
        try:
            error = self.kind(message)
        except Exception:  # its constructor wants something else
            raise RuntimeError(message) from None
        raise error


def _work(
    number: int,
    count: int,
    dataset: Any,
    fetcher: Callable[[Any], Callable[[Any], Any]],
    start: Callable[[int], None] | None,
    tasks: Any,
    results: Any,
) -> None:
    """The life of a worker: ("epoch", (seed, random states or None)), (task, indices) ..., None."""
    global _info
    threads.set_num_threads(1)  # the workers are the parallelism
    stream: Any = None
    begun = False
    with contextlib.suppress(KeyboardInterrupt):
        while (task := tasks.get()) is not None:
            at, given = task
            try:
                if at == "epoch":
                    first, states = given
                    seed = first + number
                    random.seed(seed)
                    np.random.seed(seed % 2**32)
                    manual_seed(seed)
                    _info = WorkerInfo(number, count, seed, dataset)
                    if start is not None and not begun:
                        begun = True
                        start(number)
                    if states is not None:  # an epoch that goes on
                        set_random_states(states)
                    stream = None
                    continue
                if stream is None:
                    stream = fetcher(dataset)
                value = stream(given)
            except Exception as error:
                value = _Failure(error, number)
                at = -1 if at == "epoch" else at
            results.put((at, number, random_states(), _portable(value, number)))


def _portable(value: Any, worker: int) -> bytes:
    try:
        return pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        return pickle.dumps(_Failure(error, worker))


class Workers:
    """The processes of one DataLoader."""

    def __init__(self, loader: Any) -> None:
        context = loader.multiprocessing_context
        if context is None or isinstance(context, str):
            forks = "fork" if sys.platform.startswith("linux") else None
            context = multiprocessing.get_context(context or forks)
        self.results = context.Queue()
        self.tasks = [context.Queue() for _ in range(loader.num_workers)]
        self.processes = [
            context.Process(
                target=_work,
                args=(
                    number,
                    loader.num_workers,
                    loader.dataset,
                    loader.fetcher,
                    loader.worker_init_fn,
                    tasks,
                    self.results,
                ),
                daemon=True,
                name=f"labtorch-data-{number}",
            )
            for number, tasks in enumerate(self.tasks)
        ]
        for process in self.processes:
            process.start()
        self.timeout = loader.timeout

    def epoch(
        self, seed: int, jobs: Iterator[Any], ahead: int, had: int, states: dict[int, tuple]
    ) -> Generator[tuple[int, tuple, Any]]:
        """The results of all jobs in order, with `ahead` of them under way for each worker.

        With each come the number of its worker and the random states in which it left that. Jobs
        before the first, `had` of them, were done before: the workers' turns and states go on.
        """
        for number, tasks in enumerate(self.tasks):
            tasks.put(("epoch", (seed, states.get(number))))
        count, sent, wanted = len(self.tasks), 0, 0
        owner: dict[int, int] = {}  # which worker has a task
        arrived: dict[int, Any] = {}

        def send(number: int) -> None:
            nonlocal sent
            for job in islice(jobs, 1):
                self.tasks[number].put((sent, job))
                owner[sent] = number
                sent += 1

        for _ in range(ahead):
            for turn in range(count):
                send((had + turn) % count)
        try:
            while wanted < sent:
                while wanted not in arrived:
                    at, number, left, data = self._next()
                    value = pickle.loads(data)
                    if at == -1 and isinstance(value, _Failure):
                        value.reraise()
                    arrived[at] = (number, left, value)
                number, left, value = arrived.pop(wanted)
                owner.pop(wanted)
                wanted += 1
                if isinstance(value, _Failure):
                    value.reraise()
                if isinstance(value, Ended):
                    continue  # a worker whose stream is over gets no more tasks
                send(number)
                yield number, left, value
        finally:
            while owner and wanted < sent:  # left early: let the workers come to rest
                if not any(each.is_alive() for each in self.processes):
                    break
                try:
                    at, *_ = self.results.get(timeout=LOOK)
                except queue.Empty:
                    break
                owner.pop(at, None)
                wanted += at not in arrived

    def _next(self) -> tuple[Any, int, tuple, bytes]:
        """The next result; an error if a worker has died or takes too long."""
        until = time.monotonic() + self.timeout if self.timeout else None
        while True:
            wait = LOOK if until is None else min(LOOK, max(until - time.monotonic(), 0))
            try:
                return self.results.get(timeout=wait)
            except queue.Empty:
                dead = [str(p.pid) for p in self.processes if not p.is_alive()]
                if dead:
                    raise RuntimeError(
                        f"DataLoader worker (pid(s) {', '.join(dead)}) exited unexpectedly"
                    ) from None
                if until is not None and time.monotonic() >= until:
                    raise RuntimeError(
                        f"DataLoader timed out after {self.timeout} seconds"
                    ) from None

    def stop(self) -> None:
        """End the processes."""
        for tasks in self.tasks:
            with contextlib.suppress(ValueError, OSError):
                tasks.put(None)
        for process in self.processes:
            process.join(timeout=LOOK)
            if process.is_alive():
                process.terminate()
                process.join(timeout=LOOK)
        for each in (*self.tasks, self.results):
            each.cancel_join_thread()
            each.close()
