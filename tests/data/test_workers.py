"""Worker processes load the same batches in the same order, and fail with their own words."""

import os
import time

import pytest

import labtorch
from labtorch import data


class Squares(data.Dataset):
    def __len__(self):
        return 11

    def __getitem__(self, i):
        time.sleep(0.002 * (i % 3))  # results arrive out of order
        return labtorch.tensor(i * i), {"name": f"n{i}"}


class Stream(data.IterableDataset):
    def __iter__(self):
        info = data.get_worker_info()
        first, step = (0, 1) if info is None else (info.id, info.num_workers)
        return iter(range(first, 10, step))


class Seeds(data.Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, i):
        return labtorch.rand(()), data.get_worker_info().seed


class Failing(data.Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, i):
        if i == 2:
            raise KeyError("no sample 2")
        return i


class Dying(data.Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, i):
        os._exit(3)


class Slow(Failing):
    def __getitem__(self, i):
        time.sleep(30)


def _plain(batches):
    return [(x.tolist(), names["name"]) for x, names in batches]


@pytest.mark.parametrize("persistent", [False, True])
def test_batches_and_their_order_do_not_depend_on_workers(persistent):
    options = {"batch_size": 3, "shuffle": True}
    labtorch.manual_seed(3)
    alone = _plain(data.DataLoader(Squares(), **options))
    labtorch.manual_seed(3)
    loader = data.DataLoader(
        Squares(), num_workers=2, persistent_workers=persistent, pin_memory=True, **options
    )
    assert len(loader) == 4
    assert _plain(loader) == alone
    again = data.DataLoader(Squares(), batch_size=3, num_workers=2)
    assert _plain(again) == _plain(data.DataLoader(Squares(), batch_size=3)) == _plain(again)
    assert [len(x) for x, _ in loader] == [3, 3, 3, 2]


def test_a_stream_is_shared_by_its_workers():
    loader = data.DataLoader(Stream(), batch_size=2, num_workers=2)
    assert [b.tolist() for b in loader] == [[0, 2], [1, 3], [4, 6], [5, 7], [8], [9]]
    dropped = data.DataLoader(Stream(), batch_size=2, num_workers=2, drop_last=True)
    assert [b.tolist() for b in dropped] == [[0, 2], [1, 3], [4, 6], [5, 7]]
    assert data.get_worker_info() is None


def test_workers_have_seeds_of_their_own_that_a_seed_fixes():
    found = []
    for _ in range(2):
        generator = labtorch.Generator().manual_seed(5)
        loader = data.DataLoader(Seeds(), num_workers=2, generator=generator)
        found.append([(x.item(), seed.item()) for x, seed in loader])
    assert found[0] == found[1]
    assert len({x for x, _ in found[0]}) == 4
    seeds = {seed for _, seed in found[0]}
    assert len(seeds) == 2 and max(seeds) - min(seeds) == 1


def test_each_worker_is_started_by_the_users_function():
    os.environ.pop("LABTORCH_TEST_WORKER", None)

    def start(number):
        os.environ["LABTORCH_TEST_WORKER"] = str(number)

    class Named(data.Dataset):  # defined here, as in a notebook
        def __len__(self):
            return 4

        def __getitem__(self, i):
            return int(os.environ["LABTORCH_TEST_WORKER"])

    loader = data.DataLoader(Named(), num_workers=2, worker_init_fn=start)
    assert [x.item() for x in loader] == [0, 1, 0, 1]
    assert "LABTORCH_TEST_WORKER" not in os.environ


def test_an_error_in_a_worker_is_raised_with_its_traceback():
    with pytest.raises(KeyError, match="Caught KeyError in DataLoader worker process 0") as caught:
        list(data.DataLoader(Failing(), num_workers=2))
    assert "in __getitem__" in str(caught.value)


def test_a_worker_that_dies_or_sleeps_is_told():
    with pytest.raises(RuntimeError, match="exited unexpectedly"):
        list(data.DataLoader(Dying(), num_workers=1))
    with pytest.raises(RuntimeError, match="timed out after 0.2 seconds"):
        list(data.DataLoader(Slow(), num_workers=1, timeout=0.2))


def test_a_loop_that_is_left_early_leaves_no_process():
    loader = data.DataLoader(Squares(), num_workers=2)
    batches = iter(loader)
    next(batches)
    import multiprocessing

    assert len(multiprocessing.active_children()) >= 2
    batches.close()
    assert not [p for p in multiprocessing.active_children() if p.name.startswith("labtorch-data")]
    persistent = data.DataLoader(Squares(), batch_size=4, num_workers=2, persistent_workers=True)
    next(iter(persistent))
    assert [len(x) for x, _ in persistent] == [4, 4, 3]  # what was left under way is forgotten
