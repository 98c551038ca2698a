"""Whole programs that say `import torch`, run as they are by both engines from the same weights."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).parent
RNN = {f"lstm.{kind}_l{layer}": (200,) for kind in ("bias_ih", "bias_hh") for layer in (0, 1)}
# The programs say "suppose x and y are the training data": random numbers of the shapes they need
PROGRAMS = {
    "linear_regression": ((100, 1), None, {"linear.weight": (1, 1), "linear.bias": (1,)}),
    "cnn": (
        (16, 1, 24, 24),
        10,
        {
            "conv1.conv.weight": (32, 1, 3, 3),
            "conv1.conv.bias": (32,),
            "conv2.conv.weight": (64, 32, 3, 3),
            "conv2.conv.bias": (64,),
            "fc1.weight": (128, 2304),
            "fc1.bias": (128,),
            "fc2.weight": (10, 128),
            "fc2.bias": (10,),
        },
    ),
    "rnn": (
        (32, 20, 10),
        2,
        {
            "lstm.weight_ih_l0": (200, 10),
            "lstm.weight_ih_l1": (200, 50),
            "lstm.weight_hh_l0": (200, 50),
            "lstm.weight_hh_l1": (200, 50),
            "fc.weight": (2, 50),
            "fc.bias": (2,),
            **RNN,
        },
    ),
}


def python(*args: object) -> str:
    done = subprocess.run(
        [sys.executable, *map(str, args)],
        cwd=HERE.parents[1],
        env={**os.environ, "PYTHONPATH": str(HERE.parents[1])},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.oracle
@pytest.mark.parametrize("program", PROGRAMS)
def test_losses_follow_pytorchs(program, tmp_path):
    shape, classes, weights = PROGRAMS[program]
    draws = np.random.default_rng(0)
    x = draws.standard_normal(shape, dtype="float32")
    y = 2 * x + 1 if classes is None else draws.integers(0, classes, shape[0])
    scaled = {
        name: draws.uniform(-1, 1, of).astype("float32") / max(1, np.prod(of[1:])) ** 0.5
        for name, of in weights.items()
    }
    scaled |= {name: each * 0.1 for name, each in scaled.items() if each.ndim == 1}
    np.savez(tmp_path / "inputs.npz", x=x, y=y, **scaled)
    losses = {}
    for engine in ("torch", "labtorch"):
        to = tmp_path / f"{engine}.npz"
        text = HERE / f"{program}.txt"
        python("-m", "tests.programs.run", engine, text, tmp_path / "inputs.npz", to)
        losses[engine] = np.load(to)["losses"]
    assert len(losses["torch"]) == 100
    assert losses["torch"][-1] < losses["torch"][0]
    np.testing.assert_allclose(losses["labtorch"], losses["torch"], rtol=0, atol=1e-4)


IMPORTS = """
import sys
import labtorch
with labtorch.as_torch():
    import torch, torch.nn as nn, torch.nn.functional as F, torch.optim as optim
    from torch import Tensor
    from torch.nn import Linear
    from torch.nn.modules.linear import Linear as Again
    from torch.nn.parameter import Parameter
    from torch.nn.utils.rnn import pad_sequence
    from torch.optim.lr_scheduler import StepLR
    from torch.types import Device, Number
    from torch.utils.data import DataLoader
    from torch.utils.data.dataset import Dataset
    assert torch is labtorch and nn is labtorch.nn and Linear is Again is labtorch.nn.Linear
    assert F is labtorch.nn.functional and Dataset is labtorch.data.Dataset
    assert labtorch.nn.__spec__.name == labtorch.nn.__name__ == "labtorch.nn"
    try:
        import torch.fx
    except ModuleNotFoundError as error:
        assert "labtorch" in str(error) and "observe" in str(error), error
    else:
        raise AssertionError("torch.fx was imported")
assert not [name for name in sys.modules if name.partition(".")[0] == "torch"]
assert not [each for each in sys.meta_path if type(each).__module__.startswith("labtorch")]
print("done")
"""


def test_as_torch_gives_one_module_two_names_and_takes_them_back():
    assert python("-c", IMPORTS).strip() == "done"


@pytest.mark.oracle
def test_as_torch_refuses_beside_pytorch():
    import torch  # noqa: F401

    import labtorch

    with pytest.raises(RuntimeError, match="PyTorch is imported already"):
        labtorch.as_torch()


SAVING = """
import pathlib, sys
engine, text = sys.argv[1:]
if engine == "labtorch":
    import labtorch
    labtorch.as_torch()
import torch
torch.manual_seed(0)
model = torch.nn.Linear(3, 2)
if pathlib.Path("model.pth").exists():  # the other engine's
    model.load_state_dict(torch.load("model.pth"))
exec(pathlib.Path(text).read_text())
print([float(x) for x in torch.cat([p.detach().flatten() for p in model.parameters()])])
"""


@pytest.mark.oracle
@pytest.mark.parametrize("order", [("torch", "labtorch"), ("labtorch", "torch")])
def test_weights_saved_by_one_engine_are_loaded_by_the_other(order, tmp_path):
    (tmp_path / "run.py").write_text(SAVING)
    found = []
    for engine in order:
        done = subprocess.run(
            [sys.executable, "run.py", engine, HERE / "saving.txt"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(HERE.parents[1])},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        found.append(done.stdout)
    assert found[0] == found[1]
