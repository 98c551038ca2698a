"""Large work is split over threads of labtorch's own; the BLAS keeps to one."""

from __future__ import annotations

import subprocess
import sys
import threading

import numpy as np
import pytest

import labtorch
from labtorch.backend import threads

NUMPY_FIRST = """
import numpy
import labtorch
from threadpoolctl import threadpool_info
labtorch.nn.LSTM(3, 4)(labtorch.zeros(5, 2, 3))
print(*{each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"})
"""


def test_the_blas_keeps_to_one_thread_also_where_numpy_came_first():
    pytest.importorskip("threadpoolctl")
    done = subprocess.run([sys.executable, "-c", NUMPY_FIRST], capture_output=True, text=True)
    assert done.stdout.strip() == "1", done.stderr


@pytest.mark.parametrize("count", [1, 2, 3])
def test_parts_cover_everything_once(count):
    before = labtorch.get_num_threads()
    try:
        labtorch.set_num_threads(count)
        assert labtorch.get_num_threads() == count
        seen = np.zeros(1000, int)
        names = set()

        def work(part: slice) -> int:
            names.add(threading.current_thread().name)
            seen[part] += 1
            return part.stop - part.start

        found = threads.split(work, range(1000), 10 * threads.PIECE)
        assert (seen == 1).all() and sum(found) == 1000
        assert len(names) <= count
        assert threads.split(work, range(10), 10) == [10]  # little work stays in one piece
    finally:
        labtorch.set_num_threads(before)


def test_no_threads_are_refused():
    with pytest.raises(RuntimeError, match="positive"):
        labtorch.set_num_threads(0)
