"""The loss over a plane is the model's own, the path is the one walked, and training goes on."""

import threading
import time

import numpy as np
import pytest

import labtorch as torch
from labtorch import nn, observe, optim
from labtorch.observe import plane as planes
from labtorch.observe.surface import Surface, grid_shape


def regression(lr=0.1, steps=0, sign=1, **options):
    """A line through points: model, recording (finished), and the surface of its two parameters."""
    torch.manual_seed(0)
    x = torch.randn(64, 1)
    y = 2 * x + 0.5
    model, criterion = nn.Linear(1, 1), nn.MSELoss()
    sgd = optim.SGD(model.parameters(), lr=sign * lr if sign > 0 else lr, maximize=sign < 0)
    with observe.record(budget=1e9) as recording:
        for _ in range(steps):
            sgd.zero_grad()
            criterion(model(x), y).backward()
            sgd.step()
    surface = Surface(recording, model, lambda model: criterion(model(x), y), **options)
    return surface, model, (x.numpy()[:, 0], y.numpy()[:, 0])


def computed(surface, bounds=None):
    """The surface's grid, when there is nothing left to compute."""
    for _ in range(5):
        grid = surface.look(bounds or surface.needed(surface.path(), None))
        surface.wait()
        if surface.error:
            raise AssertionError(surface.error)
    return grid


def test_every_point_of_the_grid_is_the_loss_there():
    surface, _, (x, y) = regression()
    grid = computed(surface)
    assert surface.phase == "done" and grid.stride == 1 and not np.isnan(grid.values).any()
    assert surface.plane.labels == ("weight", "bias")
    w, b = grid.us[None, :, None], grid.vs[:, None, None]
    np.testing.assert_allclose(grid.values, ((w * x + b - y) ** 2).mean(-1), rtol=1e-4)


def test_the_path_is_that_of_the_weights_that_each_step_used():
    surface, _, (x, y) = regression(steps=20)
    computed(surface)
    path = surface.path()
    assert [p.step for p in path] == list(range(20))
    for point in path:
        assert point.loss == pytest.approx(((point.u * x + point.v - y) ** 2).mean(), rel=1e-4)
        assert point.off == 0
    assert path[-1].loss < path[0].loss / 50


def test_a_gradient_with_the_wrong_sign_climbs_and_the_window_goes_with_it():
    surface, _, (x, y) = regression(steps=25, sign=-1)
    computed(surface)
    path = surface.path()
    losses = [((p.u * x + p.v - y) ** 2).mean() for p in path]
    assert losses == sorted(losses) and losses[-1] > 100 * losses[0]
    early = computed(surface, surface.needed(path, 2))
    late = computed(surface, surface.needed(path, 24))
    for grid, point in ((early, path[2]), (late, path[24])):
        u0, u1, v0, v1 = grid.bounds
        assert u0 < point.u < u1 and v0 < point.v < v1
    assert late.us[-1] - late.us[0] > 2 * (early.us[-1] - early.us[0])


class Dropping(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.norm, self.second = nn.Linear(6, 40), nn.BatchNorm1d(40), nn.Linear(40, 1)

    def forward(self, x):
        x = torch.relu(self.norm(self.first(x)))
        return self.second(nn.functional.dropout(x, 0.5, self.training))


def trained(how, steps=60):
    torch.manual_seed(1)
    x, y = torch.randn(32, 6), torch.randn(32, 1)
    model, criterion = Dropping(), nn.MSELoss()
    adam = optim.Adam(model.parameters(), lr=0.01)
    options = {"resolution": 9, "directions": "gradient"}
    surface = None
    with observe.record(budget=1e9) as recording:
        for k in range(steps):
            if k == 5 and how == "copy":
                surface = Surface(recording, model, lambda m: criterion(m(x), y), **options)
            elif k == 5 and how == "in place":
                surface = Surface(recording, model, lambda: criterion(model(x), y), **options)
            elif k == 5 and how == "training":
                options["training"] = True
                surface = Surface(recording, model, lambda m: criterion(m(x), y), **options)
            if surface is not None and k % 3 == 0:
                surface.look((-1.0, 1.0, -1.0, 1.0))
                time.sleep(0.01)
            adam.zero_grad()
            criterion(model(x), y).backward()
            adam.step()
    if surface is not None:
        computed(surface, (-1.0, 1.0, -1.0, 1.0))
        assert len(surface.path()) == steps - 5  # larger than its thumbnail: known from then on
    state = {name: t.numpy().copy() for name, t in model.state_dict().items()}
    return state, torch.get_rng_state().numpy(), model.training


@pytest.mark.parametrize("how", ["copy", "in place", "training"])
def test_training_computes_the_same_numbers_bit_by_bit(how):
    ours, alone = trained(how), trained("not at all")
    for name, array in alone[0].items():
        np.testing.assert_array_equal(ours[0][name], array, err_msg=name)
    np.testing.assert_array_equal(ours[1], alone[1])
    assert ours[2] is True


def test_a_loss_of_no_arguments_gives_the_same_surface():
    surface, model, (x, y) = regression()
    tensors = torch.from_numpy(x[:, None]), torch.from_numpy(y[:, None])
    other = Surface(
        surface.recording, model, lambda: nn.functional.mse_loss(model(tensors[0]), tensors[1])
    )
    window = (-1.0, 2.0, -1.0, 1.0)
    before = model.weight.item()
    expected, found = computed(surface, window), computed(other, window)
    np.testing.assert_allclose(found.values, expected.values, rtol=1e-6)
    assert model.weight.item() == before


def test_random_directions_have_the_lengths_of_the_filters():
    weights = [np.random.default_rng(0).normal(size=(5, 3, 2)), np.arange(4.0)]
    direction = planes.random(weights, np.random.default_rng(1))
    for d, w in zip(direction[0], weights[0]):
        assert np.linalg.norm(d) == pytest.approx(np.linalg.norm(w))
    assert np.linalg.norm(direction[1]) == pytest.approx(np.linalg.norm(weights[1]))
    plane = planes.of_random_directions(weights, 0)
    assert planes.dot(*plane.directions) == pytest.approx(0, abs=1e-9)


def test_the_gradients_direction_is_autograds_and_leads_uphill():
    torch.manual_seed(0)
    model, x = nn.Linear(3, 2), torch.randn(8, 3)
    model(x).square().mean().backward()
    gradient = [p.grad.numpy().astype(np.float64) for p in model.parameters()]
    with observe.record() as recording:
        pass
    surface = Surface(recording, model, lambda m: m(x).square().mean(), directions="gradient")
    grid = computed(surface, (-0.1, 0.1, -0.1, 0.1))
    first = surface.plane.directions[0]
    cosine = planes.dot(first, gradient) / planes.norm(first) / planes.norm(gradient)
    assert cosine == pytest.approx(1)
    middle = grid.values[len(grid.vs) // 2]
    assert (np.diff(middle) > 0).all()


def test_principal_components_hold_a_path_that_lies_in_a_plane():
    draw = np.random.default_rng(0)
    basis = [[draw.normal(size=(4, 3)), draw.normal(size=5)] for _ in range(3)]
    path = [
        [c + np.cos(t) * a + 2 * t * b for c, a, b in zip(*basis)] for t in np.linspace(0, 3, 12)
    ]
    plane = planes.of_path(path, seed=0)
    assert sum(plane.share) == pytest.approx(1) and plane.share[0] > plane.share[1]
    for weights in path:
        u, v, off = plane.project(weights)
        assert off == pytest.approx(0, abs=1e-6 * planes.norm(weights))
        np.testing.assert_allclose(plane.at(u, v, 0), weights[0], atol=1e-9)
    assert plane.project(path[-1])[:2] == pytest.approx((0, 0), abs=1e-9)


def test_a_straight_path_and_one_that_stands_still():
    straight = [[np.array([t, 2 * t])] for t in (0.0, 1.0, 2.0)]
    plane = planes.of_path(straight, 0)
    assert plane.share[0] == pytest.approx(1)
    assert planes.dot(*plane.directions) == pytest.approx(0, abs=1e-12)
    with pytest.raises(ValueError, match="not moved"):
        planes.of_path([[np.ones(2)]] * 3, 0)


def test_the_paths_own_plane_waits_for_a_path_and_grows_with_it():
    surface, *_ = regression(directions="pca")
    assert surface.look(None) is None and surface.phase == "waiting"
    surface, *_ = regression(steps=12, directions="pca")
    surface.look(None)
    surface.wait()
    path = surface.path()
    assert len(path) == 12 and all(p.off < 1e-6 for p in path)
    assert surface.plane.share[0] > 0.5 and surface.fitted == 12


def test_of_two_parameters_among_more_the_slice_follows_the_step():
    torch.manual_seed(0)
    x, y = torch.randn(16, 2), torch.randn(16, 1)
    model = nn.Linear(2, 1)
    sgd = optim.SGD(model.parameters(), lr=0.2)
    with observe.record(budget=1e9) as recording:
        for _ in range(10):
            sgd.zero_grad()
            nn.functional.mse_loss(model(x), y).backward()
            sgd.step()
    surface = Surface(
        recording, model, lambda m: nn.functional.mse_loss(m(x), y),
        parameters=("weight[0, 1]", "bias"), resolution=9,
    )  # fmt: skip
    computed(surface)
    assert surface.path()[2].off > 0
    surface.follow(2)
    point = surface.path()[2]
    assert point.off == 0
    grid = computed(surface, (point.u, point.u + 1, point.v, point.v + 1))
    w = recording.snapshot(2)["rows"][
        [n["name"] for n in recording.graph()["nodes"]].index("weight")
    ]["value"]["thumbnail"]["values"][0]
    u, v = grid.us[3], grid.vs[2]
    expected = ((x.numpy() @ [w[0], u] + v - y.numpy()[:, 0]) ** 2).mean()
    assert grid.values[2, 3] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("parameters", "error", "words"),
    [
        (("weight", "bias"), ValueError, r"which number of 'weight' \(1, 2\)"),
        (("weight[0, 2]", "bias"), IndexError, "no .0, 2. in it"),
        (("weight[0]", "bias"), IndexError, "shape"),
        (("weight[a]", "bias"), ValueError, "no index"),
        (("slope", "bias"), LookupError, "there are weight, bias"),
        (("bias", "bias[0]"), ValueError, "differ"),
        (("bias",), ValueError, "two parameters"),
        ("weight[0, 0]", ValueError, "two parameters"),
    ],
)
def test_parameters_that_are_not_there_are_refused(parameters, error, words):
    with observe.record() as recording:
        pass
    with pytest.raises(error, match=words):
        Surface(recording, nn.Linear(2, 1), lambda m: 0.0, parameters=parameters)


def test_other_wishes_that_make_no_sense_are_refused():
    with observe.record() as recording:
        pass
    model = nn.Linear(2, 1)
    for options, words in (
        ({"directions": "uphill"}, "'random', 'pca', 'gradient'"),
        ({"directions": ([np.ones((1, 2))], [np.ones((1, 2))])}, "one array for each of 2"),
        ({"directions": [[np.ones((1, 2)), np.ones(1)]] * 2}, "parallel"),
        ({"parameters": ("weight[0,0]", "bias"), "directions": "pca"}, "not both"),
        ({"resolution": 1}, "from 2 to 400"),
    ):
        with pytest.raises(ValueError, match=words):
            Surface(recording, model, lambda m: 0.0, **options)
    with pytest.raises(TypeError, match="function of the model"):
        Surface(recording, model, 3.0)
    with pytest.raises(TypeError, match="of nothing"):
        Surface(recording, model, lambda a, b: 0.0)
    with pytest.raises(ValueError, match="no parameter that learns"):
        Surface(recording, nn.ReLU(), lambda m: 0.0)


def test_given_directions_by_name_leave_the_others_alone():
    model = nn.Linear(2, 1)
    pair = {"weight": np.array([[1.0, 0.0]])}, {"bias": torch.ones(1)}
    with observe.record() as recording:
        pass
    surface = Surface(recording, model, lambda m: m.weight[0, 0] + 10 * m.bias, directions=pair)
    grid = computed(surface, (0.0, 1.0, 0.0, 1.0))
    at = model.weight[0, 0].item() + 10 * model.bias.item()
    expected = at + grid.us[None] + 10 * grid.vs[:, None]
    np.testing.assert_allclose(grid.values, expected, atol=1e-5)


def test_time_is_bounded_and_what_is_complete_stays():
    slow = threading.Event()

    def loss(model):
        slow.wait(0.002)
        return model.weight.sum()

    model = nn.Linear(1, 1)
    with observe.record() as recording:
        pass
    surface = Surface(recording, model, loss, parameters=("weight", "bias"), seconds=0.3)
    grid = computed(surface)
    assert surface.phase == "done" and grid.stride in (2, 4, 8) and grid.seconds < 1
    assert not np.isnan(grid.computed[2]).any() and np.isnan(grid.values).any()


def test_it_can_be_stopped_and_go_on():
    surface, *_ = regression(resolution=201)
    surface.look(None)
    surface.wait()
    surface.look((-1.0, 1.0, -1.0, 1.0))
    surface.cancel()
    surface.wait()
    grid = surface.look((-1.0, 1.0, -1.0, 1.0))
    count = grid.count
    assert surface.phase == "stopped" and count < grid.values.size
    surface.resume()
    assert computed(surface, (-1.0, 1.0, -1.0, 1.0)).count == grid.values.size


def test_a_loss_that_raises_is_told():
    model = nn.Linear(1, 1)
    with observe.record() as recording:
        pass
    surface = Surface(recording, model, lambda m: m(torch.ones(2)))
    surface.look(None)
    surface.wait()
    surface.look((0.0, 1.0, 0.0, 1.0))
    surface.wait()
    assert surface.phase == "failed" and "RuntimeError" in surface.error
    several = Surface(recording, model, lambda m: torch.ones(3))
    several.look(None)
    several.wait()
    several.look((0.0, 1.0, 0.0, 1.0))
    several.wait()
    assert "one number" in several.error


def test_losses_that_are_no_numbers_stay_nan():
    model = nn.Linear(1, 1)
    with observe.record() as recording:
        pass
    surface = Surface(recording, model, lambda m: torch.log(m.weight).sum())
    grid = computed(surface, (-1.0, 1.0, -1.0, 1.0))
    assert (np.isnan(grid.values) == (grid.us < 0)[None]).all()


def test_the_ball_can_be_put_elsewhere():
    surface, model, _ = regression(steps=3)
    surface.put(-1.5, 0.25).result(0)
    assert (model.weight.item(), model.bias.item()) == (-1.5, 0.25)
    with pytest.raises(ValueError, match="cannot go"):
        surface.put(float("nan"), 0.0)
    other, *_ = regression(directions="random")
    with pytest.raises(ValueError, match="two parameters"):
        other.put(0.0, 0.0)


def test_work_that_nobody_waits_for_any_more_is_left_out():
    with observe.record() as recording:
        done = []
        torch.ones(1).exp()  # a step is under way
        future = recording.between_steps(lambda: done.append(1))
        other = recording.between_steps(lambda: done.append(2))
        assert future.cancel()
        observe.mark_step()
    assert done == [2] and other.done()


def test_grids_are_three_to_two_and_refine_evenly():
    assert grid_shape(49) == (49, 33)
    for resolution in (2, 9, 30, 100):
        across, upward = grid_shape(resolution)
        assert across >= resolution and across % 8 == upward % 8 == 1


def test_weights_that_run_away_leave_the_plane_through_the_last_finite_ones():
    torch.manual_seed(0)
    x, y = torch.randn(16, 2), torch.randn(16, 1)
    model = nn.Linear(2, 1)
    sgd = optim.SGD(model.parameters(), lr=1e6)
    with observe.record(budget=1e9) as recording:
        for _ in range(30):
            sgd.zero_grad()
            nn.functional.mse_loss(model(x), y).backward()
            sgd.step()
    assert np.isnan(model.weight.detach().numpy()).any()
    surface = Surface(
        recording, model, lambda m: nn.functional.mse_loss(m(x), y), directions="random",
        resolution=9,
    )  # fmt: skip
    surface.look(None)
    surface.wait()
    assert surface.phase == "done" and np.isfinite(surface.plane.centre[0]).all()
    path = surface.path()
    assert np.isnan(path[-1].u) and np.isfinite(path[3].u)
    for step in (3, 29):
        assert np.isfinite(surface.needed(path, step)).all()
