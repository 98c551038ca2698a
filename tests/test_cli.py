"""The command line, as people use it."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import nbformat
import numpy as np
import pytest

typer_testing = pytest.importorskip("typer.testing")


def command():
    """The installed `labtorch`; in CI nothing else will do."""
    script = Path(sys.executable).with_name("labtorch")
    if script.exists() or os.environ.get("CI"):
        return [str(script)]
    return [sys.executable, "-m", "labtorch"]


def run(*arguments, **options):
    return subprocess.run([*command(), *arguments], capture_output=True, text=True, **options)


def write(path, *cells):
    """A notebook of (source, is it a check?)."""
    notebook = nbformat.v4.new_notebook()
    for source, check in cells:
        tags = {"tags": ["exercise-check"]} if check else {}
        notebook.cells.append(nbformat.v4.new_code_cell(source, metadata=tags))
    nbformat.write(notebook, path)


def test_doctor_tells_what_is_here():
    done = run("doctor")
    assert done.returncode == 0, done.stdout
    for line in ("NumPy", "BLAS", "graph layout", "mpiexec", "onnxruntime"):
        assert re.search(rf"^  {line} +\S", done.stdout, re.M), done.stdout


def test_doctor_tells_programs_too():
    found = json.loads(run("doctor", "--json").stdout)
    numpy = next(each for each in found["Arithmetic"] if each["what"] == "NumPy")
    assert numpy["found"] == np.__version__


def test_doctor_says_what_to_install(monkeypatch, capsys):
    from labtorch.cli import doctor

    absent = {"jupyterlab", "onnx"}
    here = doctor.version
    monkeypatch.setattr(doctor, "version", lambda name: None if name in absent else here(name))
    monkeypatch.setattr(doctor, "cuda_of_driver", lambda: (12, 8))
    assert doctor.examine() == 1  # there is no lab without JupyterLab
    said = capsys.readouterr().out
    assert re.search(r"jupyterlab +not there, for the lab", said)
    assert re.search(r"NVIDIA driver +for CUDA 12\.8", said)
    extras = re.search(r'pip install "labtorch\[(.*)\]"', said)[1].split(",")
    assert {"export", "lab"} <= set(extras)
    assert here("cupy-cuda12x") or "cuda12" in extras


def test_doctor_passes_on_what_keeps_cupy_from_a_gpu(monkeypatch):
    from labtorch.cli import doctor

    class Cupy:
        class cuda:
            class runtime:
                @staticmethod
                def getDeviceCount():
                    raise RuntimeError("driver version is insufficient")

    monkeypatch.setitem(sys.modules, "cupy", Cupy)
    (found,) = doctor._devices(driver=True)
    assert found.found is None and "insufficient" in found.advice


@pytest.mark.notebook
def test_check_tells_which_exercises_are_solved(tmp_path):
    write(
        tmp_path / "mine.ipynb",
        ("def double(x):\n    return 2 * x", False),
        ("assert double(3) == 6", True),
        ("assert double(3) == 7, 'double(3) should be 7'", True),
    )
    done = run("check", "mine.ipynb", cwd=tmp_path)
    assert done.returncode == 1
    assert "✓ exercise 1" in done.stdout
    assert "✗ exercise 2: double(3) should be 7" in done.stdout
    assert "1 of 2 exercises solved" in done.stdout
    assert [p.name for p in tmp_path.iterdir()] == ["mine.ipynb"]


@pytest.mark.notebook
def test_check_names_a_cell_that_is_no_check_and_fails(tmp_path):
    write(tmp_path / "mine.ipynb", ("1 / 0", False), ("assert True", True))
    done = run("check", str(tmp_path / "mine.ipynb"))
    assert done.returncode == 1 and "cell 1 (1 / 0): ZeroDivisionError" in done.stdout


def test_check_refuses_what_is_no_notebook(tmp_path):
    (tmp_path / "x.ipynb").write_text("{")
    assert "not a notebook" in run("check", str(tmp_path / "x.ipynb")).stderr
    assert run("check", str(tmp_path / "none.ipynb")).returncode == 2


def test_a_busy_port_is_replaced_and_named():
    from labtorch.cli.lab import free_port

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert free_port(port) > port


@pytest.mark.browser
def test_lab_serves_the_welcome_notebook_on_another_port_if_one_is_taken(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = subprocess.Popen(
            [*command(), "lab", "--no-browser", f"--port={port}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            env=os.environ | {"JUPYTER_RUNTIME_DIR": str(tmp_path), "PYTHONUNBUFFERED": "1"},
        )
        try:
            said, url, deadline = "", None, time.monotonic() + 60
            while url is None and time.monotonic() < deadline:
                said += process.stdout.readline()
                url = re.search(r"http://127\.0\.0\.1:(\d+)(/\S*)\?token=(\w+)", said)
            assert url, said
            assert f"port {port} is taken" in said and int(url[1]) != port
            assert url[2] == "/lab/tree/en/welcome.ipynb"
            listing = f"http://127.0.0.1:{url[1]}/api/contents/en?token={url[3]}"
            names = {each["name"] for each in json.loads(_served(listing))["content"]}
            assert "welcome.ipynb" in names
            plugin = "@jupyterlab/apputils-extension:notification"
            defaults = f"http://127.0.0.1:{url[1]}/lab/api/settings/{plugin}?token={url[3]}"
            settings = json.loads(_served(defaults))["schema"]["properties"]
            assert settings["fetchNews"]["default"] == "false"  # nor does it ask about news
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.communicate(timeout=15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()


def _served(url):
    """The page, once the server listens: it prints its address a moment earlier."""
    deadline = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return answer.read()
        except urllib.error.URLError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def test_packaged_notebooks_are_copied_and_a_learners_changes_are_kept(tmp_path):
    from labtorch.cli.lab import copy_unchanged

    source, target = tmp_path / "source", tmp_path / "target"
    (source / "en").mkdir(parents=True)
    (source / "en" / "a.ipynb").write_text("1")
    (source / "en" / "b.ipynb").write_text("1")
    assert len(copy_unchanged(source, target)) == 2
    (target / "en" / "b.ipynb").write_text("mine")
    for name in "ab":
        (source / "en" / f"{name}.ipynb").write_text("2")
    assert copy_unchanged(source, target) == [target / "en" / "a.ipynb"]
    assert (target / "en" / "a.ipynb").read_text() == "2"
    assert (target / "en" / "b.ipynb").read_text() == "mine"


def test_lab_trusts_the_notebooks_of_a_checkout_that_nobody_changed(tmp_path, monkeypatch):
    from nbformat.sign import NotebookNotary

    from labtorch.cli.lab import committed, trust

    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    folder = tmp_path / "checkout" / "notebooks"
    folder.mkdir(parents=True)
    assert committed(folder) == []  # no repository
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    git = ["git", "-C", str(folder.parent), *identity]
    for name in ("kept", "changed"):
        write(folder / f"{name}.ipynb", (f"'{name}'", False))
    for action in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "Add notebooks"]):
        subprocess.run([*git, *action], check=True)
    write(folder / "changed.ipynb", ("1", False))
    write(folder / "handed_in.ipynb", ("2", False))
    assert committed(folder) == [folder / "kept.ipynb"]

    trust(committed(folder))
    notary = NotebookNotary()
    signed = [p.stem for p in folder.iterdir() if notary.check_signature(nbformat.read(p, 4))]
    notary.store.close()
    assert signed == ["kept"]


@pytest.mark.notebook
def test_execute_saves_a_training_as_it_ended_and_no_widget_state(tmp_path):
    write(
        tmp_path / "mine.ipynb",
        ("import time\nimport labtorch_widgets as lab\nlosses = iter('4321')", False),
        (
            "def step():\n    time.sleep(0.1)\n    return float(next(losses))\n"
            "panel = lab.train(step, steps=4)\npanel",
            False,
        ),
        ("_ = panel.wait(60)", False),
    )
    assert run("execute", str(tmp_path / "mine.ipynb")).returncode == 0
    notebook = nbformat.read(tmp_path / "mine.ipynb", 4)
    (output,) = notebook.cells[1].outputs
    assert set(output.data) == {"text/plain", "image/svg+xml"}
    assert "4 → 1" in output.data["image/svg+xml"]
    assert "widgets" not in notebook.metadata and len(notebook.cells) == 3
