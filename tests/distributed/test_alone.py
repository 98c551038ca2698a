"""What needs no launcher: DataParallel, the sampler, and DDP in a job of one rank."""

import numpy as np
import pytest

import labtorch as torch
import labtorch.distributed as dist
from labtorch import nn
from labtorch.distributed.buffers import checked
from labtorch.nn.parallel import gather, parallel_apply, replicate, scatter
from labtorch.utils.data import DistributedSampler

CPUS = ["cpu", "cpu"]


def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))


def test_data_parallel_computes_what_the_module_computes():
    plain, parallel = model(), nn.DataParallel(model(), CPUS)
    x = torch.randn(7, 4)
    for net in (plain, parallel):
        net(x).square().sum().backward()
    torch.testing.assert_close(parallel(x), plain(x))
    for p, q in zip(parallel.parameters(), plain.parameters()):
        torch.testing.assert_close(p.grad, q.grad)
    assert list(parallel.state_dict())[0] == "module.0.weight"


def test_data_parallel_runs_its_parts_in_threads_at_once():
    import threading

    meet = threading.Barrier(2, timeout=5)

    class Meets(nn.Module):
        def forward(self, x, scale=1):
            meet.wait()
            return {"y": x * scale, "n": torch.tensor(float(len(x)))}

    out = nn.DataParallel(Meets(), CPUS)(torch.arange(3.0), scale=2)
    assert out["y"].tolist() == [0, 2, 4] and out["n"].tolist() == [2, 1]


def test_data_parallel_without_a_gpu_is_the_module():
    net = nn.DataParallel(model())
    x = torch.randn(2, 4)
    assert torch.equal(net(x), net.module(x))
    assert nn.parallel.data_parallel(net.module, x, CPUS).shape == (2, 3)
    with torch.no_grad():
        assert not nn.DataParallel(net.module, CPUS)(x).requires_grad


def test_an_error_in_a_replica_is_raised():
    with pytest.raises(RuntimeError, match="shapes"):
        nn.DataParallel(model(), CPUS)(torch.randn(4, 3))


def test_the_four_steps():
    x = torch.arange(5.0, requires_grad=True)
    parts = scatter(({"x": x}, [x, "s"]), CPUS)
    assert [p[0]["x"].tolist() for p in parts] == [[0, 1, 2], [3, 4]]
    assert parts[1][1][1] == "s"
    net = nn.Linear(1, 1)
    twins = replicate(net, CPUS)
    assert twins[0].weight is net.weight and twins[1].weight is not net.weight
    assert net not in twins and not twins[1].weight.is_leaf
    out = gather(parallel_apply(twins, [p[0]["x"].reshape(-1, 1) for p in parts]), "cpu")
    out.sum().backward()
    assert net.weight.grad.item() == 10 and x.grad.shape == (5,)
    with pytest.raises(ValueError, match="2 modules"):
        parallel_apply(twins, [x])
    with pytest.raises(TypeError, match="gather"):
        gather(["a", "b"], "cpu")


@pytest.mark.oracle
@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize(("n", "ranks"), [(10, 2), (11, 4), (3, 4), (8, 1), (12, 5)])
def test_the_sampler_shares_as_pytorchs_does(n, ranks, drop_last):
    from torch.utils.data import DistributedSampler as Theirs

    data = list(range(n))
    for rank in range(ranks):
        ours = DistributedSampler(data, ranks, rank, shuffle=False, drop_last=drop_last)
        theirs = Theirs(data, ranks, rank, shuffle=False, drop_last=drop_last)
        assert list(ours) == list(theirs) and len(ours) == len(theirs)


def test_the_sampler_shuffles_alike_on_all_ranks():
    def order(epoch, **options):
        samplers = [DistributedSampler(range(9), 3, r, **options) for r in range(3)]
        for each in samplers:
            each.set_epoch(epoch)
        return [i for row in zip(*samplers) for i in row]

    assert sorted(order(0)) == list(range(9))
    assert order(0) == order(0) != order(1)
    assert order(0, seed=1) == order(1)
    with pytest.raises(ValueError, match="Invalid rank 3"):
        DistributedSampler(range(9), 3, 3)
    with pytest.raises(ValueError, match="init_process_group"):
        DistributedSampler(range(9))


def test_before_init_process_group_there_is_a_clear_error():
    assert dist.is_available() and not dist.is_initialized()
    for call in (dist.get_rank, dist.barrier, lambda: dist.all_reduce(torch.ones(1))):
        with pytest.raises(ValueError, match="init_process_group"):
            call()
    with pytest.raises(ValueError, match="init_process_group"):
        nn.parallel.DistributedDataParallel(model())


def test_a_tensor_of_another_library_is_told_apart():
    class Tensor:
        __module__ = "torch"

    with pytest.raises(TypeError, match="labtorch.Tensor, not torch.*Tensor"):
        checked(Tensor(), "all_reduce")
    with pytest.raises(TypeError, match="labtorch.Tensor, not float$"):
        checked(1.0, "all_reduce")


def test_sync_batch_norm_in_one_process_is_batch_norm():
    x = torch.randn(6, 3, 2)
    ours, plain = nn.SyncBatchNorm(3), nn.BatchNorm1d(3)
    torch.testing.assert_close(ours(x), plain(x))
    torch.testing.assert_close(ours.running_var, plain.running_var)
    with pytest.raises(ValueError, match="2D"):
        ours(torch.randn(3))
    assert np.isfinite(ours.eval()(x).detach().numpy()).all()


def test_a_cluster_for_a_notebook_says_what_is_missing(monkeypatch):
    from labtorch.distributed import notebook

    with pytest.raises(ValueError, match="at least one rank"):
        dist.cluster(0)
    monkeypatch.setattr(notebook, "mpiexec", lambda: None)
    with pytest.raises(RuntimeError, match=r"no mpiexec"):
        dist.cluster(2)
    monkeypatch.setitem(__import__("sys").modules, "ipyparallel", None)
    with pytest.raises(RuntimeError, match=r'pip install "labtorch\[parallel\]"'):
        dist.cluster(2)
