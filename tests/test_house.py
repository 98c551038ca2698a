"""The house holds together: imports run downward, NumPy is enough, nothing asks the network."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def python(code, **environment):
    """What a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | environment,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_rooms_import_downward_only():
    pytest.importorskip("importlinter")
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'widgets'}"},
    )
    assert done.returncode == 0, done.stdout[-3000:]


def test_views_are_kept_from_every_room_but_observe():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (forbidden,) = (c["forbidden_modules"] for c in contracts["contracts"] if c["type"] != "layers")
    rooms = {f"labtorch.{each.parent.name}" for each in ROOT.glob("labtorch/*/__init__.py")}
    assert set(forbidden) == rooms - {"labtorch.observe"}


def test_numpy_alone_is_enough_to_import_labtorch():
    loaded = python(
        "import numpy.random, sys; before = set(sys.modules); import labtorch;"
        "print(*{m.partition('.')[0] for m in set(sys.modules) - before})"
    ).split()
    third_party = set(loaded) - set(sys.stdlib_module_names) - {"labtorch", "numpy"}
    assert not {m for m in third_party if not m.startswith("_")}, third_party


def test_training_needs_no_other_package():
    code = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in sys.stdlib_module_names and top not in ("numpy", "labtorch"):
            raise ImportError(f"{name} must not be imported")
sys.meta_path.insert(0, Refuse())
import labtorch as torch
from labtorch import nn, optim, observe
model = nn.Linear(2, 1)
adam = optim.Adam(model.parameters())
with observe.record() as recording:
    nn.MSELoss()(model(torch.ones(3, 2)), torch.zeros(3, 1)).backward()
    adam.step()
print(recording.step_count)
"""
    assert python(code).strip() == "1"


def test_the_readme_names_rooms_that_exist():
    rooms = re.findall(r"^\| `([\w/]+)`", (ROOT / "README.md").read_text(), re.M)
    assert rooms and all((ROOT / room).is_dir() for room in rooms)


@pytest.mark.notebook
def test_the_readmes_tour_runs(tmp_path):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    tour = "".join(block for block in blocks if "@op(" not in block)
    assert "lab.train(" in tour
    tour = tour.replace("lab.train(step", "panel = lab.train(step", 1)
    before, after = tour.split("from labtorch import observe")
    script = tmp_path / "tour.py"  # in a file, so that nodes can name their source lines
    script.write_text(f"{before}\npanel.wait(60)\nfrom labtorch import observe{after}")
    path = os.pathsep.join([f"{ROOT}", f"{ROOT / 'widgets'}", os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, script],
        capture_output=True,
        text=True,
        cwd=tmp_path,  # it writes a file
        env=os.environ | {"PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "model.onnx").exists()


def test_the_readmes_op_is_declared_as_it_says():
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    (shown,) = (block for block in blocks if "@op(" in block)
    assert shown in (ROOT / "labtorch" / "ops" / "activation.py").read_text()


def test_each_readme_command_is_one_line():
    text = (ROOT / "README.md").read_text()
    for name in ("lab", "test"):
        block = re.search(rf"<!-- {name} command -->\n```bash\n(.*?)```\n<!-- end -->", text, re.S)
        assert block and block[1].count("\n") == 1


def test_ci_runs_the_readmes_test_command():
    script = (ROOT / ".ci" / "run").read_text()
    assert "<!-- test command -->" in script and "README.md" in script
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_no_view_asks_the_network():
    bundles = sorted((ROOT / "widgets" / "labtorch_widgets" / "static").glob("*"))
    assert bundles, "the views are not built: pip install -e ."
    for bundle in bundles:
        urls = set(re.findall(r"https?://[\w./-]+", bundle.read_text()))
        assert all("www.w3.org" in url for url in urls), (bundle.name, urls)  # names of XML spaces
