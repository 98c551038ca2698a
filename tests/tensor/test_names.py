"""Names that programs use around the tensors: types, limits, devices, switches."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import labtorch
from tests.oracle import randn, same, same_error

oracle = pytest.mark.oracle


# ---------------------------------------------------------------- types from before dtypes
@oracle
@pytest.mark.parametrize(
    "make",
    [
        lambda t: t.LongTensor([1, 2]),
        lambda t: t.LongTensor([1.5, 2]),
        lambda t: t.FloatTensor([[1, 2], [3, 4]]),
        lambda t: t.FloatTensor((1, 2)),
        lambda t: t.FloatTensor(np.array([1.0, 2.0])),
        lambda t: t.ByteTensor([0, 255]),
        lambda t: t.BoolTensor([1, 0]),
        lambda t: t.IntTensor(),
        lambda t: t.FloatTensor(t.ones(2)),
        lambda t: t.Tensor(np.array([1, 2])),
        lambda t: t.Tensor([t.tensor(1.0), t.tensor(2.0)]),
        lambda t: t.Tensor(range(3)),
        lambda t: t.ones(2, dtype=t.int64).new([1, 2]),
        lambda t: t.ones(2).type(t.LongTensor),
        lambda t: t.ones(2).type("torch.DoubleTensor"),
        lambda t: t.ones(2).char(),
        lambda t: [t.LongTensor(2, 3).shape, t.ones(1).new(2, 3).shape],
        lambda t: [t.DoubleTensor(t.ones(2, 3).size()).shape, t.Tensor(t.Size([2])).shape],
        lambda t: [t.ones(1, dtype=d).type() for d in (t.bool, t.uint8, t.int16, t.complex64)],
        lambda t: [isinstance(t.ones(1), k) for k in (t.FloatTensor, t.LongTensor, t.Tensor)],
        lambda t: [t.LongTensor.dtype, t.HalfTensor.is_cuda],
    ],
)
def test_typed_constructors_are_pytorchs(make):
    same(make)


@oracle
@pytest.mark.parametrize(
    "make",
    [
        lambda t: t.FloatTensor(t.ones(2).double()),
        lambda t: t.Tensor(3.5),
        lambda t: t.ones(1).type("foo"),
        lambda t: t.set_default_tensor_type(t.LongTensor),
        lambda t: t.finfo(t.int32),
        lambda t: t.iinfo(t.float32),
        lambda t: t.set_float32_matmul_precision("best") if t is labtorch else t.zeros(0).item(),
        lambda t: t.ones(2).random_(5, 2),
        lambda t: t.ones(2, requires_grad=True).resize_(3),
        lambda t: t.poisson(-t.ones(1)),
        lambda t: t.ones(2).exponential_(-1.0),
        lambda t: t.ones(2).geometric_(2.0),
        lambda t: t.range(1, 3, 0),
        lambda t: t.range(3, 1),
        lambda t: t.frombuffer(bytearray(2), dtype=t.uint8, offset=9),
    ],
)
def test_what_pytorch_refuses_is_refused(make):
    same_error(make)


def test_the_default_type_can_be_set():
    labtorch.set_default_tensor_type(labtorch.DoubleTensor)
    try:
        assert labtorch.ones(1).dtype is labtorch.float64
    finally:
        labtorch.set_default_tensor_type("torch.FloatTensor")
    assert labtorch.ones(1).dtype is labtorch.float32


# ---------------------------------------------------------------- limits and dtypes
@oracle
def test_limits_are_pytorchs():
    import torch

    for name in ("float16", "bfloat16", "float32", "float64", "complex64"):
        ours, theirs = (t.finfo(getattr(t, name)) for t in (labtorch, torch))
        assert repr(ours) == repr(theirs) and (ours.bits, ours.max) == (theirs.bits, theirs.max)
    for name in ("uint8", "int8", "int16", "int32", "int64"):
        ours, theirs = (t.iinfo(getattr(t, name)) for t in (labtorch, torch))
        assert repr(ours) == repr(theirs) and ours.bits == theirs.bits
    assert repr(labtorch.finfo()) == repr(torch.finfo())


@oracle
def test_promotion_and_casts_are_pytorchs():
    names = "bool uint8 int8 int64 float16 float32 complex64".split()
    for a in names:
        for b in names:
            same(lambda t, a=a, b=b: t.promote_types(getattr(t, a), getattr(t, b)))
            same(lambda t, a=a, b=b: t.can_cast(getattr(t, a), getattr(t, b)))


def test_bfloat16_has_a_name_and_no_tensors():
    assert str(labtorch.bfloat16) == "torch.bfloat16" and labtorch.bfloat16.itemsize == 2
    assert pickle.loads(pickle.dumps(labtorch.bfloat16)) is labtorch.bfloat16
    for make in (
        lambda: labtorch.zeros(2, dtype=labtorch.bfloat16),
        lambda: labtorch.ones(2).bfloat16(),
        lambda: labtorch.set_default_dtype(labtorch.bfloat16),
    ):
        with pytest.raises((NotImplementedError, TypeError)):
            make()


# ---------------------------------------------------------------- devices
def test_the_default_device_is_where_tensors_are_made():
    assert labtorch.get_default_device() == labtorch.device("cpu")
    with labtorch.device("cpu") as where:
        assert labtorch.zeros(2).device == where == labtorch.get_default_device()
    labtorch.set_default_device("cpu")
    assert labtorch.rand(2).device.type == "cpu"
    labtorch.set_default_device(None)


@pytest.mark.skipif(labtorch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_questions_are_answered_and_orders_raise():
    cuda = labtorch.cuda
    assert cuda.device_count() == 0 and not cuda.is_bf16_supported()
    assert cuda.memory_allocated() == cuda.max_memory_allocated() == 0
    cuda.empty_cache()
    cuda.manual_seed_all(3)
    for order in (
        lambda: labtorch.set_default_device("cuda"),
        lambda: cuda.synchronize(),
        lambda: cuda.set_device(0),
        lambda: cuda.get_device_name(),
        lambda: cuda.Event(enable_timing=True),
        lambda: cuda.FloatTensor(2),
        lambda: labtorch.device("cuda").__enter__(),
        lambda: labtorch.zeros(2, device="cuda"),
    ):
        with pytest.raises(AssertionError, match="not compiled with CUDA enabled"):
            order()
    assert labtorch.get_default_device().type == "cpu"
    assert labtorch.accelerator.current_accelerator() is None
    assert not labtorch.backends.mps.is_available()


# ---------------------------------------------------------------- what is accepted
def test_a_program_written_for_mixed_precision_trains_as_it_is():
    model = labtorch.compile(labtorch.nn.Linear(2, 1))
    before = copy.deepcopy(model.state_dict())
    optimizer = labtorch.optim.SGD(model.parameters(), lr=0.1)
    scaler = labtorch.cuda.amp.GradScaler()
    with labtorch.autocast(device_type="cuda", dtype=labtorch.bfloat16):
        loss = model(labtorch.ones(3, 2)).sum()
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    scaler.update()
    assert labtorch.equal(model.weight, before["weight"] - 0.3)
    assert scaler.get_scale() == 1.0 and loss.dtype is labtorch.float32


def test_decorators_that_translate_leave_python_alone():
    @labtorch.compile(mode="reduce-overhead")
    @labtorch.jit.script
    @labtorch.amp.autocast("cpu")
    def double(x):
        return x * 2

    assert double(labtorch.ones(1)).item() == 2
    assert labtorch.jit.trace(double, labtorch.ones(1)) is double
    with pytest.raises(NotImplementedError, match=r"model\.state_dict"):
        labtorch.jit.save(double, "file")


def test_switches_can_be_set_and_read():
    labtorch.set_float32_matmul_precision("high")
    assert labtorch.get_float32_matmul_precision() == "high"
    labtorch.set_float32_matmul_precision("highest")
    labtorch.use_deterministic_algorithms(True, warn_only=True)
    assert labtorch.are_deterministic_algorithms_enabled()
    labtorch.use_deterministic_algorithms(False)
    cudnn = labtorch.backends.cudnn
    cudnn.deterministic, cudnn.benchmark = True, False
    with cudnn.flags(benchmark=True):
        assert cudnn.benchmark
    assert not cudnn.benchmark and labtorch.backends.cuda.matmul.allow_tf32 is False


@oracle
@pytest.mark.parametrize(
    "ask",
    [
        lambda t: [str(t.strided), str(t.channels_last), str(t.ones(1).layout)],
        lambda t: t.ones(1, 2, 3, 4).contiguous(memory_format=t.channels_last),
        lambda t: t.ones(2).to(memory_format=t.preserve_format),
        lambda t: [t.typename(t.ones(1)), t.typename(3), t.is_storage(3)],
        lambda t: [
            t.ones(1).is_cpu,
            t.ones(1).is_meta,
            t.ones(1).is_shared(),
            t.ones(2).ndimension(),
        ],
        lambda t: [t.is_complex(t.ones(1)), t.is_signed(t.ones(1)), t.is_nonzero(t.ones(1))],
        lambda t: [t.is_same_size(t.ones(2), t.ones(3)), t.ones(2).is_set_to(t.ones(2))],
        lambda t: [
            t.scalar_tensor(3),
            t.asarray([1, 2]),
            t.frombuffer(bytearray(b"ab"), dtype=t.int8),
        ],
        lambda t: t.ones(2).apply_(lambda x: x + 1).map_(t.ones(2), lambda a, b: a - 3 * b),
        lambda t: t.ones(2).set_(t.zeros(3)),
        lambda t: t.arange(6).view(2, 3).t().storage().tolist(),
        lambda t: t.arange(2).untyped_storage().nbytes(),
        lambda t: [t.pi, t.e, t.inf, t.ones(2)[t.newaxis].shape],
        lambda t: t.arange(6).resize_(2, 2).resize_as_(t.ones(4)),
        lambda t: [t.triu(t.ones(2, 2, dtype=t.bool), 1), t.ones(2, 2).byte().tril()],
        lambda t: [t.arange(6).view(2, 3).flip(0, 1), t.flip(t.arange(3), dims=[0])],
        lambda t: [t.clamp_min(t.arange(4), 2), t.arange(4).clamp_max_(2)],
        lambda t: [t.detach(t.ones(1)), t.poisson(t.zeros(2)), t.binomial(t.ones(2), t.ones(2))],
        lambda t: [t.sigmoid_(t.zeros(2)), t.relu_(t.tensor([-1.0, 1.0])), t.exp_(t.zeros(1))],
    ],
)
def test_tensors_say_what_pytorchs_say(ask):
    same(ask)


@oracle
@pytest.mark.filterwarnings("ignore:torch.range is deprecated")
def test_range_goes_up_to_the_end():
    same(lambda t: [t.range(1, 3), t.range(0, 1, 0.25), t.range(3, 1, -1)])


def test_what_is_gone_says_what_to_use():
    with pytest.raises(NotImplementedError, match="dense"):
        labtorch.ones(2).to_sparse()
    with pytest.raises(NotImplementedError, match="log_prob"):
        labtorch.ones(2).reinforce(1.0)


@pytest.mark.parametrize(
    ("draw", "mean", "std"),
    [
        (lambda x: x.random_(10), 4.5, 2.87),
        (lambda x: x.random_(2, 5), 3.0, 0.816),
        (lambda x: x.exponential_(2.0), 0.5, 0.5),
        (lambda x: x.geometric_(0.25), 4.0, 3.46),
        (lambda x: x.log_normal_(0.0, 0.5), 1.133, 0.604),
        (lambda x: x.cauchy_(1.0, 1e-3).clamp_(0, 2), 1.0, None),
        (lambda x: labtorch.poisson(x.fill_(3.0)), 3.0, 1.732),
        (lambda x: labtorch.binomial(x.fill_(10.0), labtorch.full_like(x, 0.3)), 3.0, 1.449),
        (lambda x: labtorch.randint_like(x, 2, 5), 3.0, 0.816),
    ],
)
def test_draws_have_their_mean_and_spread(draw, mean, std):
    labtorch.manual_seed(0)
    drawn = draw(labtorch.empty(50_000))
    assert drawn.dtype is labtorch.float32
    assert abs(drawn.mean().item() - mean) < 0.05
    assert std is None or abs(drawn.std().item() - std) < 0.05


def test_forked_random_numbers_leave_the_stream_where_it_was():
    labtorch.manual_seed(1)
    with labtorch.random.fork_rng():
        labtorch.rand(5)
    drawn = labtorch.rand(3)
    labtorch.manual_seed(1)
    assert labtorch.equal(drawn, labtorch.rand(3))


# ---------------------------------------------------------------- assert_close
@oracle
@pytest.mark.parametrize(
    ("actual", "expected", "options"),
    [
        (randn(3), randn(3) + 1e-3, {}),
        (randn(3), randn(3) + 1e-9, {}),
        (randn(3), randn(3) + 1e-3, {"rtol": 0.0, "atol": 1e-2}),
        (randn(3), randn(3, dtype="float32"), {}),
        (randn(3), randn(3, dtype="float32"), {"check_dtype": False}),
        (randn(3), randn(2), {}),
        (np.array([np.nan]), np.array([np.nan]), {}),
        (np.array([np.nan]), np.array([np.nan]), {"equal_nan": True}),
        (1.0, 1.1, {}),
        ([1.0, 2.0], [1.0, 2.0], {}),
        ([1.0], [1.0, 2.0], {}),
        ({"a": 1}, {"a": 1}, {}),
        ({"a": 1}, {"b": 1}, {}),
    ],
)
def test_assert_close_draws_pytorchs_line(actual, expected, options):
    import torch

    def verdict(t):
        given = [t.from_numpy(x) if isinstance(x, np.ndarray) else x for x in (actual, expected)]
        try:
            return t.testing.assert_close(*given, **options)
        except AssertionError as error:
            return str(error).split("\n")[0].split(":")[0]

    ours, theirs = verdict(labtorch), verdict(torch)
    assert (ours is None) == (theirs is None)
    assert ours is None or ours[:20] == theirs[:20]


# ---------------------------------------------------------------- names that are not here
@pytest.mark.parametrize(
    ("look", "says"),
    [
        (lambda t: t.LongTensr, "is it LongTensor"),
        (lambda t: t.nn.Liner, "is it Linear"),
        (lambda t: t.nn.functional.sofmax, "is it softmax"),
        (lambda t: t.sparse_coo_tensor, "dense"),
        (lambda t: t.hub, "build the model in Python"),
        (lambda t: t.what_is_this_name, "has no attribute 'what_is_this_name'"),
    ],
)
def test_a_missing_name_says_what_is_near(look, says):
    with pytest.raises(AttributeError, match=says):
        look(labtorch)


def test_every_name_offered_is_there():
    for module in (labtorch.nn, labtorch.random, labtorch.mps, labtorch.nn.modules):
        assert all(hasattr(module, name) for name in module.__all__)
    for name in ("is_available", "device_count", "current_accelerator", "synchronize"):
        assert hasattr(labtorch.accelerator, name)
    assert labtorch.nn.modules.linear.Linear is labtorch.nn.modules.Linear is labtorch.nn.Linear


def test_large_rooms_are_imported_when_they_are_asked_for():
    import subprocess
    import sys

    code = (
        "import sys, labtorch; before = set(sys.modules); labtorch.observe.record;"
        "labtorch.distributions.Normal; labtorch.testing.assert_close;"
        "assert 'labtorch.observe' not in before and 'labtorch.distributions' not in before"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
