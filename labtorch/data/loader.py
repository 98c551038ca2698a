"""DataLoader: batches, in order or shuffled."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext
from itertools import islice
from typing import Any

import numpy as np

from labtorch.backend import devices
from labtorch.data.collate import default_collate, default_convert, pin_memory
from labtorch.data.dataset import Dataset, IterableDataset, TensorDataset
from labtorch.data.position import Position
from labtorch.data.sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler
from labtorch.tensor.random import Generator, default_generator


class _Endless(Sampler[None]):
    """What an iterable dataset is sampled with: it decides itself."""

    def __iter__(self) -> Iterator[None]:
        while True:
            yield None


class DataLoader:
    """Batches of a dataset: `for x, y in DataLoader(dataset, batch_size=32, shuffle=True)`.

    With `num_workers` as many processes load samples ahead; the batches are the same, and in the
    same order. The order of a shuffle follows `generator`, or `labtorch.manual_seed`; worker i
    starts from a seed that follows from it, plus i. `pin_memory` puts batches where a GPU fetches
    them by itself: `batch.to("cuda", non_blocking=True)` then does not wait.

    `state_dict()` says where in an epoch the loader is; after `load_state_dict`, in any process,
    the next epoch goes on behind the batches that were handed out, as the other would have done.
    The global random state is the program's to save (`labtorch.get_rng_state`). The batches are not
    loaded again, save for an iterable dataset, whose stream is read anew up to there.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable | None = None,
        batch_sampler: Iterable | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[list], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], None] | None = None,
        multiprocessing_context: Any = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        if num_workers < 0:
            raise ValueError(
                "num_workers option should be non-negative; use num_workers=0 to disable "
                "multiprocessing."
            )
        if timeout < 0:
            raise ValueError("timeout option should be non-negative")
        if num_workers == 0 and prefetch_factor is not None:
            raise ValueError(
                "prefetch_factor option could only be specified in multiprocessing."
                "let num_workers > 0 to enable multiprocessing, otherwise set prefetch_factor to "
                "None."
            )
        if persistent_workers and num_workers == 0:
            raise ValueError("persistent_workers option needs num_workers > 0")
        self.dataset = dataset
        self.num_workers, self.prefetch_factor = num_workers, prefetch_factor
        self.pin_memory, self.pin_memory_device = pin_memory, pin_memory_device
        self.timeout, self.worker_init_fn = timeout, worker_init_fn
        self.multiprocessing_context = multiprocessing_context
        self.persistent_workers, self.in_order = persistent_workers, in_order
        self._iterable = isinstance(dataset, IterableDataset)
        if self._iterable:
            _refuse_order(shuffle, sampler, batch_sampler)
        if sampler is not None and shuffle:
            raise ValueError("sampler option is mutually exclusive with shuffle")
        if batch_sampler is not None:
            if batch_size != 1 or shuffle or sampler is not None or drop_last:
                raise ValueError(
                    "batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, "
                    "and drop_last"
                )
            batch_size, drop_last = None, False
        elif batch_size is None and drop_last:
            raise ValueError(
                "batch_size=None option disables auto-batching and is mutually exclusive with "
                "drop_last"
            )
        if sampler is None:
            if self._iterable:
                sampler = _Endless()
            elif shuffle:
                sampler = RandomSampler(dataset, generator=generator)
            else:
                sampler = SequentialSampler(dataset)
        if batch_size is not None and batch_sampler is None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)  # type: ignore[arg-type]
        self.batch_size, self.drop_last = batch_size, drop_last
        self.sampler, self.batch_sampler, self.generator = sampler, batch_sampler, generator
        if collate_fn is None:
            collate_fn = default_collate if batch_sampler is not None else default_convert
        self.collate_fn = collate_fn
        batched = self.batch_sampler is not None
        self.fetcher = Fetcher(collate_fn, batched, self._iterable and drop_last)
        self._workers: Any = None
        self._position, self._resumes = self._nowhere(), False

    def __iter__(self) -> Iterator[Any]:
        batches = self._from_workers() if self.num_workers else self._from_here()
        return map(pin_memory, batches) if self._pins() else batches

    def _pins(self) -> bool:
        if self.pin_memory and not devices.cuda_is_available():
            warnings.warn(
                "'pin_memory' argument is set as true but no accelerator is found, then device "
                "pinned memory won't be used.",
                stacklevel=3,
            )
            return False
        return self.pin_memory

    # ---------------------------------------------------------------- the place in an epoch
    def state_dict(self) -> dict[str, Any]:
        """How many batches of this epoch were handed out, and what its order follows from."""
        return self._position.state_dict()

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Let the next epoch go on from a place that `state_dict` gave.

        Raises ValueError, with nothing changed, if it is no such place.
        """
        position = self._nowhere()
        position.load_state_dict(state_dict)
        self._position, self._resumes = position, position.batches > 0

    def _nowhere(self) -> Position:
        """The beginning of an epoch, with the generators that its order may be drawn from."""
        samplers = (self.sampler, self.batch_sampler, getattr(self.batch_sampler, "sampler", None))
        found = [default_generator, self.generator, *(getattr(s, "generator", 0) for s in samplers)]
        own = {id(each): each for each in found if isinstance(each, Generator)}
        return Position(list(own.values()))

    def _begun(self) -> tuple[Position, int]:
        """The position of an epoch that begins now, and how many batches of it were had before."""
        if self._resumes:
            self._resumes = False
            return self._position, self._position.batches
        self._position = self._nowhere()
        self._position.begin()
        return self._position, 0

    def _ended(self, position: Position) -> None:
        if position is self._position:
            self._position = self._nowhere()

    def _jobs(self) -> Iterable[Any]:
        """What is fetched at once: the indices of a batch, or one."""
        return self.sampler if self.batch_sampler is None else self.batch_sampler

    def _from_here(self) -> Iterator[Any]:
        position, had = self._begun()
        with position.again() if had else nullcontext():
            fetch = self.fetcher(self.dataset)
            jobs = iter(self._jobs())
            for job in islice(jobs, had):
                if self._iterable:
                    fetch(job)
        for job in jobs:
            found = fetch(job)
            if isinstance(found, Ended):
                break
            position.batches += 1
            yield found
        self._ended(position)

    def _from_workers(self) -> Iterator[Any]:
        from labtorch.data.workers import Workers

        workers = self._workers or Workers(self)
        if self.persistent_workers:
            self._workers = workers
        position, had = self._begun()
        # a child of the generator's seed: the shuffle does not depend on the number of workers
        with position.again() if had else nullcontext():
            source: Any = (self.generator or default_generator).numpy.bit_generator.seed_seq
            seed = int(source.spawn(1)[0].generate_state(1, np.uint64)[0] >> 2)
            jobs = iter(self._jobs())
            skipped = 0 if self._iterable else sum(1 for _ in islice(jobs, had))
        results = workers.epoch(
            seed, jobs, self.prefetch_factor or 2, skipped, position.workers if skipped else {}
        )
        again = had - skipped  # a stream is read anew
        try:
            for number, random_states, found in results:
                if again:
                    again -= 1
                    continue
                position.batches += 1
                position.workers[number] = random_states
                yield found
            self._ended(position)
        finally:
            results.close()
            if workers is not self._workers:
                workers.stop()

    def __del__(self) -> None:
        if getattr(self, "_workers", None) is not None:
            self._workers.stop()

    def __len__(self) -> int:
        """The number of batches."""
        if self._iterable:
            n = len(self.dataset)
            if self.batch_size is None:
                return n
            return n // self.batch_size if self.drop_last else -(-n // self.batch_size)
        return len(self.sampler if self.batch_sampler is None else self.batch_sampler)  # type: ignore[arg-type]


class Fetcher:
    """How samples become batches: `fetcher(dataset)` is a function of the indices of a batch.

    It is made in the process that loads, so that each has its own iterator over a stream.
    """

    def __init__(self, collate: Callable, batched: bool, drop_last: bool) -> None:
        self.collate, self.batched, self.drop_last = collate, batched, drop_last

    def __call__(self, dataset: Any) -> Callable[[Any], Any]:
        if isinstance(dataset, IterableDataset):
            samples = iter(dataset)
            return lambda places: self.next(samples, places)
        if not self.batched:
            return lambda index: self.collate(dataset[index])
        return lambda indices: self.batch(dataset, indices)

    def next(self, samples: Iterator[Any], places: Any) -> Any:
        """The next sample or batch of a stream."""
        batch = list(islice(samples, len(places) if self.batched else 1))
        if not batch or (self.batched and self.drop_last and len(batch) < len(places)):
            return Ended()
        return self.collate(batch if self.batched else batch[0])

    def batch(self, dataset: Any, indices: Any) -> Any:
        if self.collate is default_collate and type(dataset) is TensorDataset:
            rows = np.asarray(indices)  # as stacking row by row would give, in one go
            if rows.dtype.kind in "ui":
                return [tensor[rows] for tensor in dataset.tensors]
        if hasattr(dataset, "__getitems__"):
            return self.collate(dataset.__getitems__(indices))
        return self.collate([dataset[i] for i in indices])


class Ended:
    """What a fetch gives when its stream is over."""


def _refuse_order(shuffle: Any, sampler: Any, batch_sampler: Any) -> None:
    """An iterable dataset decides its own order."""
    if shuffle not in (False, None):
        raise ValueError(
            "DataLoader with IterableDataset: expected unspecified shuffle option, but got "
            f"shuffle={shuffle}"
        )
    for name, given in (("sampler", sampler), ("batch_sampler", batch_sampler)):
        if given is not None:
            raise ValueError(
                f"DataLoader with IterableDataset: expected unspecified {name} option, but got "
                f"{name}={given}"
            )


__all__ = ["DataLoader", "Dataset"]
