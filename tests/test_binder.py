"""Binder accepts binder/."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def build_file():
    """What repo2docker would build; rendering it needs no container engine."""
    command = shutil.which("jupyter-repo2docker", path=str(Path(sys.executable).parent))
    if command is None:
        if os.environ.get("CI"):
            pytest.fail("CI must check Binder: jupyter-repo2docker is missing")
        pytest.skip("needs jupyter-repo2docker")
    done = subprocess.run(
        [command, "--no-build", "--debug", "."], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout + done.stderr


def test_binder_installs_the_lab_after_copying_the_checkout(build_file):
    install = build_file.index('-r "binder/requirements.txt"')
    assert build_file.index("src/ ${REPO_DIR}/") < install


def test_binder_runs_post_build(build_file):
    assert "./binder/postBuild" in build_file
    assert os.access(ROOT / "binder" / "postBuild", os.X_OK)


def test_binder_takes_the_stated_python(build_file):
    wanted = (ROOT / "binder" / "runtime.txt").read_text().strip().removeprefix("python-")
    assert (
        f"python={wanted}" in build_file.replace(" ", "").replace("==", "=") or wanted in build_file
    )
