"""How many threads matrix products take."""

from __future__ import annotations

import threading

import pytest

import labtorch
from labtorch.backend.threads import one_thread

pytest.importorskip("threadpoolctl")


def test_small_products_run_on_one_thread_and_the_number_comes_back():
    before = labtorch.get_num_threads()
    with pytest.raises(ZeroDivisionError), one_thread(1000):
        assert labtorch.get_num_threads() == 1
        with one_thread(1000):
            assert labtorch.get_num_threads() == 1
        assert labtorch.get_num_threads() == 1
        raise ZeroDivisionError
    assert labtorch.get_num_threads() == before
    with one_thread(1 << 30):
        assert labtorch.get_num_threads() == before


def test_two_threads_of_work_that_overlap_leave_the_number_as_it_was():
    before = labtorch.get_num_threads()
    entered, leave = threading.Event(), threading.Event()

    def work() -> None:
        with one_thread(1000):
            entered.set()
            leave.wait(10)

    thread = threading.Thread(target=work)
    with one_thread(1000):
        thread.start()
        assert entered.wait(10)
    assert labtorch.get_num_threads() == before
    leave.set()
    thread.join()
    assert labtorch.get_num_threads() == before
