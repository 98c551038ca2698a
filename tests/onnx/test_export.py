"""onnx.export writes models that onnxruntime runs as labtorch does, with the model's names."""

from __future__ import annotations

import inspect
import io
import os
import subprocess
import sys

import numpy as np
import pytest

import labtorch as torch
from labtorch import nn
from tests.onnx.agreement import exported, floats, integers, nodes, same, weights

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


class CNN(nn.Module):
    """The document's: two convolutions with pooling, two linear layers."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 32, 3, 1, 1), nn.Conv2d(32, 64, 3, 1, 1)
        self.pool = nn.MaxPool2d(2, 2)
        self.fc1, self.fc2 = nn.Linear(64 * 6 * 6, 128), nn.Linear(128, 10)

    def forward(self, x):
        x = self.pool(nn.functional.relu(self.conv1(x)))
        x = self.pool(nn.functional.relu(self.conv2(x)))
        return self.fc2(nn.functional.relu(self.fc1(x.view(-1, 64 * 6 * 6))))


class LSTM(nn.Module):
    """The document's: two layers, states of zeros, the last step through a linear layer."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(10, 50, 2, batch_first=True)
        self.fc = nn.Linear(50, 2)

    def forward(self, x):
        h = torch.zeros(2, x.size(0), 50).to(x.device)
        c = torch.zeros(2, x.size(0), 50).to(x.device)
        output, _ = self.lstm(x, (h, c))
        return self.fc(output[:, -1, :])


class TwoInputs(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3))

    def forward(self, x, y=None, scale=2.0):
        return {"total": x + y * self.weight * scale, "x": x}


class Branch(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


class Cube(nn.Module):
    """With an op that ONNX does not have."""

    def forward(self, x):
        return torch.linalg.svdvals(x)


class Nested(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.cube = nn.Linear(4, 4), Cube()

    def forward(self, x):
        return self.cube(self.first(x))


# -------------------------------------------------------------------- the document's models
def test_the_documents_cnn(tmp_path):
    model, path = CNN(), tmp_path / "cnn.onnx"
    axes = {"image": {0: "batch"}, "scores": {0: "batch"}}
    program = torch.onnx.export(
        model,
        (floats(2, 1, 24, 24),),
        path,
        input_names=["image"],
        output_names=["scores"],
        dynamic_axes=axes,
    )
    model.eval()
    for batch in (1, 3, 7):
        same(program, model, (floats(batch, 1, 24, 24, seed=batch),))
    on_disk = onnx.load(path)
    onnx.checker.check_model(on_disk, full_check=True)
    assert on_disk.SerializeToString() == program.model_proto.SerializeToString()
    assert nodes(program) == [
        *("/conv1/Conv", "/Relu", "/pool/MaxPool", "/conv2/Conv", "/Relu_1", "/pool/MaxPool_1"),
        *("/Reshape", "/fc1/Gemm", "/Relu_2", "/fc2/Gemm"),
    ]
    assert [name for name in weights(program) if "constant" not in name] == [
        name for name, _ in model.named_parameters()
    ]
    graph = on_disk.graph
    assert [x.name for x in graph.input] == ["image"]
    assert [x.name for x in graph.output] == ["scores"]
    for each in (graph.input[0], graph.output[0]):
        assert each.type.tensor_type.shape.dim[0].dim_param == "batch"


def test_the_documents_lstm():
    model = LSTM()
    program = exported(model, (floats(2, 6, 10),), [(0, 0)])
    for batch in (1, 3, 7):
        same(program, model, (floats(batch, 6, 10, seed=batch),))
    assert {"/lstm/LSTM", "/lstm/LSTM_1", "/fc/Gemm"} <= set(nodes(program))
    found = set(weights(program))
    assert {"fc.weight", "fc.bias", "lstm.weight_ih_l0.LSTM", "lstm.bias_l1.LSTM"} <= found


def test_two_dynamic_dimensions():
    model = LSTM()
    axes = {"x": {0: "batch", 1: "steps"}}
    program = torch.onnx.export(model, (floats(2, 6, 10),), dynamic_axes=axes)
    for shape in ((1, 1, 10), (5, 3, 10), (3, 9, 10)):
        same(program, model.eval(), (floats(*shape),))


# -------------------------------------------------------------------- names and options
def test_nodes_carry_their_module_and_the_users_line():
    node = exported(CNN(), (floats(2, 1, 24, 24),)).model_proto.graph.node[0]
    told = {each.key: each.value for each in node.metadata_props}
    assert told["namespace"] == "conv1" and told["op"] == "conv2d"
    assert told["source"].startswith("test_export.py:") and "self.conv1(x)" in told["source"]


def test_a_path_in_nested_modules():
    model = nn.Sequential(nn.Linear(3, 4), nn.Sequential(nn.ReLU(), nn.Linear(4, 2)))
    program = exported(model, (floats(5, 3),))
    assert nodes(program) == ["/0/Gemm", "/1/0/Relu", "/1/1/Gemm"]
    assert weights(program) == ["0.weight", "0.bias", "1.1.weight", "1.1.bias"]


def test_keyword_arguments_and_results_in_dicts():
    x, y = floats(2, 3), floats(2, 3, seed=1)
    model = TwoInputs()
    for args, kwargs in (((x,), {"y": y}), ((x, y), None), ((x, {"y": y}), None)):
        program = torch.onnx.export(model, args, kwargs=kwargs)
        assert [each.name for each in program.model_proto.graph.input] == ["x", "y"]
        total, unchanged = program(x, y=y)
        np.testing.assert_allclose(total.numpy(), (x + 2 * y).numpy(), rtol=1e-6)
        np.testing.assert_array_equal(unchanged.numpy(), x.numpy())


def test_dynamic_shapes_by_name():
    program = torch.onnx.export(
        TwoInputs(),
        (floats(2, 3), floats(2, 3)),
        dynamic_shapes={"x": {0: "n"}, "y": {0: "n"}},
    )
    same(program, TwoInputs(), (floats(5, 3), floats(5, 3, seed=1)))


def test_parameters_as_inputs():
    model, x = nn.LSTM(3, 4), floats(5, 2, 3)
    kept = torch.onnx.export(model, (x,), keep_initializers_as_inputs=True).model_proto.graph
    assert {"weight_ih_l0", "bias_hh_l0"} <= {each.name for each in kept.input}
    assert {"weight_ih_l0", "bias_hh_l0"} <= {each.name for each in kept.initializer}
    program = torch.onnx.export(model, (x,), export_params=False)
    assert not set(weights(program)) & set(model.state_dict())
    feed = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    found = program.session().run(None, {"input": x.numpy(), **feed})
    np.testing.assert_allclose(found[0], model(x)[0].detach().numpy(), atol=1e-6)


class Positions(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Parameter(torch.ones(8, 3))

    def forward(self, x):
        wave = torch.sin(torch.arange(x.size(1)) * 0.5).unsqueeze(-1)
        return x + wave + self.table[: x.size(1)]


def test_constant_folding_leaves_parameters_alone():
    x = floats(2, 5, 3)
    folded, plain = (exported(Positions(), (x,), do_constant_folding=on) for on in (True, False))
    assert "/Sin" in nodes(plain) and "/Sin" not in nodes(folded)
    assert "table" in weights(folded)
    same(folded, Positions(), (x,))
    same(plain, Positions(), (x,))


def test_sizes_that_decide_are_followed():
    program = exported(Positions(), (floats(2, 5, 3),), [(0, 1)])
    for n in (1, 3, 7):
        same(program, Positions(), (floats(2, n, 3),))


class Detector(nn.Module):
    """The rows of a feature map whose size is half of the picture's, rounded up."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 6, 3, stride=2, padding=1)

    def forward(self, x):
        z = self.conv(x)
        n, c, h, w = z.shape
        z = z.view(n, 3, c // 3, h, w).permute(0, 1, 3, 4, 2)
        return z.reshape(n, -1, c // 3)


def test_a_reshape_takes_what_is_left():
    model, axes = Detector(), {"x": {0: "n", 2: "h", 3: "w"}}
    program = torch.onnx.export(model, (floats(1, 1, 8, 8),), dynamic_axes=axes)
    for size in ((2, 1, 8, 8), (3, 1, 11, 6), (1, 1, 1, 5)):
        same(program, model, (floats(*size),))


class Pairs(nn.Module):
    def forward(self, x):
        n = x.size(0)
        return torch.ones(n * n).cumsum(0) + 0 * x.sum()


def test_a_size_that_no_formula_gives_is_refused():
    """Two runs are on a straight line, whatever the model does: the third tells."""
    with pytest.raises(torch.onnx.OnnxExporterError, match="another size"):
        exported(Pairs(), (floats(2, 3),), [(0, 0)])


@pytest.mark.parametrize("opset", [13, 14, 17, 18, 20, 21, 23])
def test_opsets(opset):
    model = CNN()
    program = exported(model, (floats(2, 1, 24, 24),), [(0, 0)], opset_version=opset)
    assert program.model_proto.opset_import[0].version == opset
    same(program, model, (floats(3, 1, 24, 24),))


@pytest.mark.parametrize("opset", [13, 14, 17])
def test_an_op_whose_arguments_were_attributes_once(opset):
    program = exported(nn.AdaptiveAvgPool2d(1), (floats(2, 1, 4, 4),), opset_version=opset)
    assert program.model_proto.opset_import[0].version == opset
    same(program, nn.AdaptiveAvgPool2d(1), (floats(2, 1, 4, 4),))


def test_an_opset_that_cannot_say_it():
    """Tutorials ask for very old ones; PyTorch writes its oldest, then, and so does labtorch."""
    with pytest.warns(UserWarning, match="cannot be expressed in opset_version 11"):
        program = exported(nn.LayerNorm(3), (floats(2, 3),), opset_version=11)
    assert program.model_proto.opset_import[0].version == 18
    same(program, nn.LayerNorm(3), (floats(2, 3),))
    with pytest.raises(ValueError, match="7 to"):
        exported(nn.ReLU(), (floats(2, 3),), opset_version=99)


def test_verbose_prints_the_graph(capsys):
    exported(nn.ReLU(), (floats(2, 3),), verbose=True)
    assert "Relu" in capsys.readouterr().out


def test_verify_runs_the_result():
    program = exported(nn.Linear(3, 2), (floats(2, 3),), verify=True)
    program._expected = [program._expected[0] + 1]
    with pytest.raises(torch.onnx.OnnxExporterError, match="differs"):
        program.verify({"input_0": floats(2, 3).numpy()})


@pytest.mark.oracle
def test_options_are_pytorchs():
    theirs = pytest.importorskip("torch")
    known = inspect.signature(theirs.onnx.export).parameters
    ours = inspect.signature(torch.onnx.export).parameters
    shared = [name for name in ours if name != "options"]
    assert set(shared) <= set(known)
    assert [ours[n].kind for n in shared] == [known[n].kind for n in shared]
    for name in set(known) - set(shared):
        default = known[name].default
        torch.onnx.export(nn.ReLU(), (floats(2),), **{name: default})


# -------------------------------------------------------------------- the model is left alone
def test_the_model_is_as_it_was():
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Dropout(0.5), nn.Linear(3, 2))
    model[1].eval()
    before = {name: t.numpy().copy() for name, t in model.state_dict().items()}
    torch.manual_seed(3)
    expected = torch.rand(2).numpy()
    torch.manual_seed(3)
    with pytest.warns(torch.onnx.errors.TracerWarning, match="random"):
        torch.onnx.export(model, (floats(4, 3),), training=torch.onnx.TrainingMode.TRAINING)
    np.testing.assert_array_equal(torch.rand(2).numpy(), expected)
    assert [m.training for m in model.modules()] == [True, True, False, True]
    for name, tensor in model.state_dict().items():
        np.testing.assert_array_equal(tensor.numpy(), before[name])
    assert all(p.grad is None for p in model.parameters())


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"the old one")
    with pytest.raises(torch.onnx.UnsupportedOperatorError):
        torch.onnx.export(Nested(), (floats(4, 4),), path)
    assert path.read_bytes() == b"the old one" and len(list(tmp_path.iterdir())) == 1
    torch.onnx.export(nn.ReLU(), (floats(2),), str(path))
    assert onnx.load(path).graph.node[0].op_type == "Relu" and len(list(tmp_path.iterdir())) == 1
    with pytest.raises(RuntimeError, match="does not exist"):
        torch.onnx.export(nn.ReLU(), (floats(2),), tmp_path / "no" / "model.onnx")


def test_into_an_open_file():
    file = io.BytesIO()
    torch.onnx.export(nn.ReLU(), floats(2), file)
    assert onnx.load_from_string(file.getvalue()).graph.node[0].op_type == "Relu"


# -------------------------------------------------------------------- what cannot be exported
def test_an_op_without_counterpart_names_op_module_and_line():
    with pytest.raises(torch.onnx.UnsupportedOperatorError) as caught:
        torch.onnx.export(Nested(), (floats(4, 4),))
    said = str(caught.value)
    assert "'svdvals'" in said or "'linalg_svdvals'" in said
    assert "'cube'" in said and "torch.linalg.svdvals(x)" in said and "test_export.py" in said


def test_a_branch_on_values_is_said():
    with pytest.warns(torch.onnx.TracerWarning, match="depends on the values"):
        torch.onnx.export(Branch(), (torch.tensor([3.0, -1.0, -1.0]),))


class Packed(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(3, 4, batch_first=True)

    def forward(self, x):
        packed = nn.utils.rnn.pack_padded_sequence(x, [4, 2], batch_first=True)
        return self.lstm(packed)[0].data


def test_packed_sequences_are_refused():
    with pytest.raises(torch.onnx.UnsupportedOperatorError, match="(?s)packed.*module 'lstm'"):
        torch.onnx.export(Packed(), (floats(2, 4, 3),))


class Frozen(nn.Module):
    """Computes without gradients, and asks for an array on the way."""

    @torch.no_grad()
    def forward(self, x):
        assert torch.onnx.is_in_onnx_export()
        y = x.clone()
        y[:, 0] = 1.0
        y.mul_(2).add_(x)
        return y[:, 1:] + float(x.size(0)) + np.float32(0.5)


def test_a_model_without_gradients():
    model = Frozen()
    program = exported(model, (floats(2, 3),), [(0, 0)])
    assert not torch.onnx.is_in_onnx_export()
    x = floats(5, 3)
    y = x.numpy().copy()
    y[:, 0] = 1
    expected = (2 * y + x.numpy())[:, 1:] + 5.5
    np.testing.assert_allclose(program(x)[0].numpy(), expected, rtol=1e-5)


def test_from_a_thread():
    from concurrent.futures import ThreadPoolExecutor

    models = [nn.Sequential(nn.Linear(3, n), nn.ReLU()) for n in (2, 4, 6, 8)]
    x = floats(5, 3)
    with ThreadPoolExecutor(4) as pool:
        programs = list(pool.map(lambda model: exported(model, (x,), [(0, 0)]), models))
    for program, model in zip(programs, models):
        same(program, model, (floats(2, 3),))


def test_a_program_of_pytorchs(tmp_path):
    """As a tutorial has it, unchanged."""
    program = (
        "import labtorch; labtorch.as_torch()\n"
        "import torch, torch.onnx\n"
        "model = torch.nn.Sequential(torch.nn.Linear(4, 2), torch.nn.ReLU())\n"
        "torch.onnx.export(model, torch.randn(1, 4), 'super.onnx', export_params=True,\n"
        "    opset_version=10, do_constant_folding=True, input_names=['input'],\n"
        "    output_names=['output'], dynamic_axes={'input': {0: 'b'}, 'output': {0: 'b'}})\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = [sys.executable, "-c", program]
    subprocess.run(run, check=True, cwd=tmp_path, env=environment, capture_output=True)
    assert [x.name for x in onnx.load(tmp_path / "super.onnx").graph.output] == ["output"]


class Loop(nn.Module):
    def forward(self, x):
        total = x[0]
        for row in x[1:]:
            total = total * 0.5 + row
        return total


def test_a_loop_over_a_dynamic_dimension_is_refused():
    with pytest.raises(torch.onnx.OnnxExporterError, match="cannot be dynamic.*other steps"):
        exported(Loop(), (floats(3, 2),), [(0, 0)])
    same(exported(Loop(), (floats(3, 2),)), Loop(), (floats(3, 2, seed=1),))


class Stateful(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(3, 4, batch_first=True)

    def forward(self, x, state):
        return self.lstm(x, state)


def test_dimensions_that_must_have_one_size_become_one():
    model, x = Stateful().eval(), floats(2, 5, 3)
    state = (floats(1, 2, 4), floats(1, 2, 4, seed=1))
    axes = {"x": [0, 1], "h": [1], "c": [1]}  # no name says that three of them are the batch
    program = torch.onnx.export(
        model, (x, state), input_names=["x", "h", "c"], output_names=["y"], dynamic_axes=axes
    )
    same(program, model, (floats(4, 2, 3), (floats(1, 4, 4), floats(1, 4, 4, seed=1))))
    sizes = [
        [d.dim_param or d.dim_value for d in each.type.tensor_type.shape.dim]
        for each in program.model_proto.graph.input
    ]
    assert sizes == [["x_dim_0", "x_dim_1", 3], [1, "x_dim_0", 4], [1, "x_dim_0", 4]]


def test_dimensions_that_only_start_with_one_size_stay_apart():
    model = nn.ReLU()
    axes = {"input": [0, 1]}
    program = torch.onnx.export(model, (floats(3, 3),), dynamic_axes=axes)
    same(program, model, (floats(2, 7),))


class Gives(nn.Module):
    def __init__(self, result):
        super().__init__()
        self.result = result

    def forward(self, x):
        return self.result(x)


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda: torch.onnx.export(len, (floats(2),)), TypeError, "nn.Module"),
        (lambda: torch.onnx.export(nn.ReLU(), (floats(2),), ""), ValueError, "empty path"),
        (lambda: torch.onnx.export(nn.ReLU(), 3), TypeError, "args must be"),
        (lambda: torch.onnx.export(nn.ReLU(), ()), TypeError, "forward"),
        (
            lambda: torch.onnx.export(nn.ReLU(), (floats(2).numpy(),)),
            TypeError,
            "'input' is a NumPy array",
        ),
        (lambda: exported(nn.LazyLinear(2), (floats(2, 3),)), ValueError, "call the model once"),
        (lambda: exported(nn.ReLU(), (floats(2),), dynamic_ax=1), TypeError, "dynamic_ax"),
        (lambda: exported(nn.ReLU(), (floats(2),), [(0, 3)]), ValueError, "dimension 3"),
        (
            lambda: torch.onnx.export(nn.ReLU(), (floats(2),), dynamic_axes={"y": [0]}),
            ValueError,
            "names 'y'; the inputs are input",
        ),
        (
            lambda: torch.onnx.export(nn.ReLU(), (floats(2),), input_names=["a", "b"]),
            ValueError,
            "2 input_names for 1",
        ),
        (
            lambda: exported(nn.ReLU(), (floats(2),), output_names=["input_0"]),
            ValueError,
            "must be new",
        ),
        (
            lambda: exported(nn.Bilinear(2, 2, 2), (floats(2, 2), floats(3, 2)), [(0, 0), (1, 0)]),
            ValueError,
            "one name means one size",
        ),
        (
            lambda: exported(Gives(lambda x: x.size(0)), (floats(2),)),
            torch.onnx.OnnxExporterError,
            "returns a int",
        ),
        (
            lambda: exported(Gives(lambda x: None), (floats(2),)),
            torch.onnx.OnnxExporterError,
            "no tensor",
        ),
    ],
)
def test_bad_input(call, error, said):
    with pytest.raises(error, match=said):
        call()


def test_the_users_error_is_the_users():
    with pytest.raises(RuntimeError, match="shapes|mat1|size"):
        exported(nn.Linear(3, 2), (floats(2, 4),))


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_without_the_packages(package):
    code = (
        f"import sys; sys.modules['{package}'] = None\n"
        "import labtorch as torch\n"
        "try: torch.onnx.export(torch.nn.ReLU(), torch.ones(2), verify=True)\n"
        "except ModuleNotFoundError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 'pip install "labtorch[export]"' in done.stdout


def test_an_int_input():
    model = nn.Embedding(7, 3)
    program = exported(model, (integers(7, 2, 4),), [(0, 0)])
    same(program, model, (integers(7, 5, 4),))
