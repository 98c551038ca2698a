"""A process killed while it saves leaves the old file or the new one, never a part of one."""

from __future__ import annotations

import os
import random
import signal
import time

import pytest

import labtorch
from labtorch.io import atomic

KILLS = 200  # for each format
SIZE = 200_000

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def _state(number: int) -> dict:
    return {"a": labtorch.full((SIZE,), float(number)), "b": labtorch.full((3,), float(number))}


def _save_for_ever(path, number: int, ready: int) -> None:
    """The life of a child: save ever new states until it is killed."""
    try:
        while True:
            labtorch.save(_state(number), path)
            os.write(ready, b".")
            number += 1
    finally:
        os._exit(1)


@pytest.mark.parametrize("name", ["model.safetensors", "model.pth"])
def test_a_kill_leaves_a_whole_file(tmp_path, name):
    path, draw, number, during = tmp_path / name, random.Random(0), 0, 0
    labtorch.save(_state(0), path)
    for _ in range(KILLS):
        reads, ready = os.pipe()
        child = os.fork()
        if not child:
            os.close(reads)
            _save_for_ever(path, number + 1, ready)
        os.close(ready)
        try:
            if draw.random() < 0.3:
                os.read(reads, 1)  # let it finish one first
            time.sleep(draw.random() * 0.01)
        finally:
            os.kill(child, signal.SIGKILL)
            assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
            os.close(reads)
        back = labtorch.load(path)
        found = int(back["b"][0])
        assert found >= number  # never older than what was there
        assert list(back) == ["a", "b"] and back["a"].shape == (SIZE,)
        assert (back["a"] == found).all() and (back["b"] == found).all()
        left = [each for each in tmp_path.iterdir() if each.name.endswith(atomic.SUFFIX)]
        during += bool(left)
        for each in left:
            os.utime(each, (0, 0))  # as if it had been there for long
        number = found
    assert during > KILLS // 10, "too few of the kills came while a file was being written"
    labtorch.save(_state(0), path)
    assert [each.name for each in tmp_path.iterdir()] == [name], "what was left is swept"


def test_a_living_writer_keeps_its_temporary(tmp_path):
    path = tmp_path / "model.pth"
    with atomic.written(path) as file:
        file.write(b"half")
        file.flush()
        (temporary,) = tmp_path.iterdir()
        os.utime(temporary, (0, 0))
        labtorch.save({"w": labtorch.ones(2)}, path)  # somebody else
        assert temporary.exists()
        file.write(b" and half")
    assert path.read_bytes() == b"half and half"


def test_links_modes_and_devices_stay_what_they_are(tmp_path):
    path, link = tmp_path / "model.pth", tmp_path / "latest.pth"
    labtorch.save({"w": labtorch.ones(2)}, path)
    os.chmod(path, 0o600)
    link.symlink_to(path)
    labtorch.save({"w": labtorch.zeros(2)}, link)
    assert link.is_symlink() and path.stat().st_mode & 0o777 == 0o600
    assert labtorch.load(path)["w"].tolist() == [0, 0]
    labtorch.save({"w": labtorch.zeros(2)}, os.devnull)
    assert not os.path.isfile(os.devnull)


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "model.safetensors"
    labtorch.save({"w": labtorch.ones(2)}, path)

    def fails(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(OSError, match=r"No space left on device: '.*model.safetensors'$"):
        labtorch.save({"w": labtorch.zeros(2)}, path)
    assert [each.name for each in tmp_path.iterdir()] == ["model.safetensors"]
    assert labtorch.load(path)["w"].tolist() == [1, 1]
