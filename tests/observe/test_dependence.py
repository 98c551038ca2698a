"""What a prediction depends on, against gradients computed apart and finite differences."""

import numpy as np
import pytest

import labtorch as torch
from labtorch import nn, observe, optim
from labtorch.observe.dependence import Dependence


class Names(nn.Module):
    def __init__(self, kind="fused"):
        super().__init__()
        self.kind = kind
        self.embedding = nn.Embedding(8, 5, padding_idx=0)
        self.lstm = nn.LSTM(5, 6, batch_first=True) if kind != "loop" else nn.LSTMCell(5, 6)
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(6, 3)

    def forward(self, x):
        if self.kind == "loop":
            h = c = torch.zeros(len(x), 6)
            for t in range(x.shape[1]):
                h, c = self.lstm(self.embedding(x[:, t]), (h, c))
            return self.head(self.dropout(h))
        output, _ = self.lstm(self.embedding(x))
        return self.head(self.dropout(output if self.kind == "tagger" else output[:, -1]))


def follow(kind, steps=3):
    torch.manual_seed(0)
    model, x = Names(kind), torch.randint(1, 8, (4, 7))
    labels = torch.randint(0, 3, (4, 7) if kind == "tagger" else (4,))
    sgd = optim.SGD(model.parameters(), lr=0.1)
    losses = []

    def step():
        sgd.zero_grad()
        loss = nn.functional.cross_entropy(model(x).flatten(0, -2), labels.flatten())
        loss.backward()
        sgd.step()
        losses.append(loss.item())

    asked = torch.randint(1, 8, (2, 5))
    with observe.record(budget=1e9) as recording:
        following = Dependence(recording, model, asked) if steps else None
        for _ in range(steps or 3):
            step()
    return model, asked, following, losses


@pytest.mark.parametrize("kind", ["fused", "loop", "tagger"])
def test_the_norms_are_those_of_the_predictions_gradient(kind):
    model, asked, following, _ = follow(kind)
    assert following.error is None and sorted(following.found) == following.recording.steps
    found = following.found[2]
    assert found.norms.shape == (2, 5) and (found.norms > 0).all()
    model.eval()
    embedded = [model.embedding(asked[:, t]).detach().requires_grad_() for t in range(5)]
    rows = iter(embedded)
    model.embedding.forward = lambda _: (
        next(rows) if kind == "loop" else torch.stack(embedded, dim=1)
    )
    output = model(asked)
    output = output[:, -1] if kind == "tagger" else output
    np.testing.assert_allclose(found.outputs, output.detach().numpy(), rtol=1e-5)
    output.max(dim=1).values.sum().backward()
    expected = np.stack([np.linalg.norm(e.grad.numpy(), axis=-1) for e in embedded], axis=1)
    np.testing.assert_allclose(found.norms, expected, rtol=1e-4)
    assert (found.position == 4) if kind == "tagger" else (found.position is None)


def test_following_a_prediction_changes_no_number_of_the_training():
    with_it, without = follow("fused", 3), follow("fused", 0)
    assert with_it[3] == without[3]
    assert with_it[0].training and with_it[0].embedding.weight.grad is not None


def test_another_output_and_position_can_be_chosen():
    model, _, following, _ = follow("tagger")  # held here: it is followed while it lives
    following.choose(output=1, position=2).result(0)
    found = following.found[2]
    assert found.position == 2 and (found.chosen == 1).all()
    assert (found.norms[:, 3:] == 0).all() and (found.norms[:, :3] > 0).all()


def test_floating_inputs_are_differentiated_themselves():
    torch.manual_seed(0)
    model = nn.Sequential(nn.GRU(3, 4))
    x = torch.randn(6, 2, 3)
    with observe.record(budget=1e9) as recording:
        following = Dependence(recording, model, x)
    found = following.found[0]
    assert found.norms.shape == (2, 6) and found.position == 5

    def chosen(values):
        with torch.no_grad():
            return model(values)[0][-1, 1, int(found.chosen[1])].item()

    gradient = np.zeros(3)
    for i in range(3):
        up, down = x.clone(), x.clone()
        up[1, 1, i] += 1e-2
        down[1, 1, i] -= 1e-2
        gradient[i] = (chosen(up) - chosen(down)) / 2e-2
    assert found.norms[1, 1] == pytest.approx(np.linalg.norm(gradient), rel=1e-2)
    assert not x.requires_grad and model[0].weight_ih_l0.grad is None


def test_a_model_without_a_differentiable_result_is_told_so():
    class Constant(nn.Module):
        def forward(self, x):
            return torch.zeros(2, 3)

    with observe.record(budget=1e9) as recording:
        following = Dependence(recording, Constant(), torch.ones(2, 3))
    assert isinstance(following.error, TypeError) and following.found == {}
