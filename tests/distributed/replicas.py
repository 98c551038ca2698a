"""Scenarios for every rank of a job: a model trained by all ranks is the model trained by one.

Each rank also trains alone, on the whole batch: that is what the ranks' common result must equal.
"""

import copy
import gc
import sys
import weakref

import numpy as np
import pytest

import labtorch as torch
import labtorch.distributed as dist
from labtorch import nn
from labtorch.engine.thread import current
from labtorch.nn.parallel import DistributedDataParallel
from labtorch.utils.data import DataLoader, TensorDataset
from labtorch.utils.data.distributed import DistributedSampler
from tests.benchmarks import steps
from tests.distributed import launch

STEPS = 5


def rank():
    return dist.get_rank(), dist.get_world_size()


def share(x, uneven=False):
    """This rank's part of a batch; where `uneven`, the first rank has about half of it."""
    r, n = rank()
    cuts = np.linspace(0, len(x), n + 1).round().astype(int)
    if uneven:
        cuts[1:-1] = np.linspace(len(x) // 2 + 1, len(x), n).round().astype(int)[:-1]
    return x[int(cuts[r]) : int(cuts[r + 1])]


def same(model, other, atol=1e-6):
    """The parameters of two models agree, and those of all ranks are equal to the bit."""
    for (name, p), q in zip(model.named_parameters(), other.parameters()):
        np.testing.assert_allclose(p.detach(), q.detach(), rtol=0, atol=atol, err_msg=name)
        first = p.detach().clone()
        dist.broadcast(first, 0)
        assert torch.equal(first, p), f"{name} differs from rank 0"


def gradients_agree(model, other, atol=1e-6):
    for (name, p), q in zip(model.named_parameters(), other.parameters()):
        assert (p.grad is None) == (q.grad is None), name
        if q.grad is not None:
            np.testing.assert_allclose(p.grad, q.grad, rtol=0, atol=atol, err_msg=name)


def mlp(seed=0, features=6):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(features, 8), nn.Tanh(), nn.Linear(8, 3))


def batch(n=12, features=6):
    draw = np.random.default_rng(3)
    x = torch.tensor(draw.standard_normal((n, features)), dtype=torch.float32)
    return x, torch.tensor(draw.integers(0, 3, n))


def train(model, criterion, optimizer, x, y, n=STEPS):
    """The losses, and the gradients of the last step."""
    losses = []
    for _ in range(n):
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
    return losses


def document(program, uneven, dtype=torch.float32):
    """The document's model, trained by all ranks, and by each alone on the whole batches."""
    engine = steps.Engine("labtorch")
    draw = np.random.default_rng
    torch.manual_seed(0)
    alone, criterion, make, x, y = steps.PROGRAMS[program](engine, draw(0))
    torch.manual_seed(100 + rank()[0])  # the ranks begin with other weights than rank 0's
    wrapped, *_ = steps.PROGRAMS[program](engine, draw(0))
    if rank()[0] == 0:
        wrapped.load_state_dict(alone.state_dict())
    alone, wrapped, x = alone.to(dtype), wrapped.to(dtype), x.to(dtype)
    wrapped = DistributedDataParallel(wrapped, bucket_cap_mb=0.1)
    losses = train(alone, criterion, make(alone.parameters()), x, y)
    mine = share(x, uneven), share(y, uneven)
    parts = train(wrapped, criterion, make(wrapped.parameters()), *mine)
    total = torch.tensor(parts, dtype=torch.float64) * len(mine[0]) / len(x)
    dist.all_reduce(total)
    np.testing.assert_allclose(total, losses, rtol=0, atol=1e-6)
    return wrapped, alone


def check_the_cnn_of_the_document():
    same(*document("cnn", uneven=False))


def check_the_cnn_of_the_document_on_unequal_shards():
    same(*document("cnn", uneven=True))


def check_the_lstm_of_the_document():
    """With Adam, which divides by |g|: a g of 1e-8 is as good as noise in float32.

    So there losses and gradients are compared, and the weights in float64.
    """
    gradients_agree(*document("lstm", uneven=False))
    same(*document("lstm", uneven=False, dtype=torch.float64))


def check_the_lstm_of_the_document_on_unequal_shards():
    gradients_agree(*document("lstm", uneven=True))
    same(*document("lstm", uneven=True, dtype=torch.float64))


def check_gradients_travel_in_several_buckets_while_the_pass_goes_on():
    r, n = rank()
    model = nn.Sequential(*(nn.Linear(64, 64) for _ in range(6)))
    wrapped = DistributedDataParallel(model, bucket_cap_mb=0.02)
    reducer = wrapped.reducer
    assert len(reducer.buckets) == 6
    started = []
    model[0].weight.register_hook(lambda g: started.append(reducer.started))
    model[2].register_full_backward_hook(lambda *_: started.append(reducer.started))
    wrapped(torch.ones(4, 64)).sum().backward()
    assert started[0] == 3  # those of layers 5, 4, 3 were on their way at layer 2
    assert all(bucket.request is not None for bucket in reducer.buckets)


def check_plain_means_as_pytorch_takes_them():
    r, n = rank()
    model, other = mlp(), mlp()
    wrapped = DistributedDataParallel(model, weigh_shards=False)
    x, y = batch()
    mine = share(x, uneven=True), share(y, uneven=True)
    nn.functional.cross_entropy(wrapped(mine[0]), mine[1]).backward()
    nn.functional.cross_entropy(other(mine[0]), mine[1]).backward()
    for p, q in zip(model.parameters(), other.parameters()):
        dist.all_reduce(q.grad)
        np.testing.assert_allclose(p.grad, q.grad / n, atol=1e-6)


def check_no_sync_adds_up_and_then_sends():
    model, other = mlp(), mlp()
    wrapped = DistributedDataParallel(model)
    x, y = batch(16)
    loss = nn.CrossEntropyLoss()
    parts = list(zip(share(x).chunk(2), share(y).chunk(2)))
    with wrapped.no_sync():
        loss(wrapped(parts[0][0]), parts[0][1]).backward()
    assert model[0].weight.grad is not None
    before = model[0].weight.grad.clone()
    first = before.clone()
    dist.broadcast(first, 0)
    assert rank()[0] == 0 or not torch.equal(first, before)  # each has its own
    loss(wrapped(parts[1][0]), parts[1][1]).backward()
    (loss(other(x), y) * 2).backward()
    gradients_agree(model, other)


def check_passes_without_zero_grad_add_up():
    model, other = mlp(), mlp()
    wrapped = DistributedDataParallel(model)
    x, y = batch()
    loss = nn.CrossEntropyLoss()
    for _ in range(3):
        loss(wrapped(share(x, True)), share(y, True)).backward()
        loss(other(x), y).backward()
    gradients_agree(model, other)


def check_the_gradient_stays_the_same_tensor():
    model = mlp()
    wrapped = DistributedDataParallel(model)
    x, y = batch()
    nn.functional.cross_entropy(wrapped(share(x)), share(y)).backward()
    grad = model[0].weight.grad
    nn.functional.cross_entropy(wrapped(share(x)), share(y)).backward()
    assert model[0].weight.grad is grad


def check_terms_of_the_loss_outside_the_model():
    model, other = mlp(), mlp()
    wrapped = DistributedDataParallel(model)
    x, y = batch()
    for net, (a, b) in ((wrapped, (share(x, True), share(y, True))), (other, (x, y))):
        penalty = sum((p * p).sum() for p in net.parameters())
        (nn.functional.cross_entropy(net(a), b) + 0.1 * penalty).backward()
    gradients_agree(model, other)


def check_a_model_called_twice_and_shared_weights():
    torch.manual_seed(0)
    models = []
    for _ in range(2):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 6))
        model[2].weight = model[0].weight
        models.append(model)
    wrapped = DistributedDataParallel(models[0])
    x, _ = batch()
    for net, a in ((wrapped, share(x)), (models[1], x)):
        (net(a) - net(a.flip(1))).square().mean().backward()
    gradients_agree(*models)


def check_hooks_of_parameters():
    model, other = mlp(), mlp()
    seen = []
    for each in (model, other):
        each[0].weight.register_hook(lambda g: g * 2)
        each[2].bias.register_post_accumulate_grad_hook(lambda p: seen.append(p.grad.shape))
    wrapped = DistributedDataParallel(model)
    x, y = batch()
    nn.functional.cross_entropy(wrapped(share(x)), share(y)).backward()
    nn.functional.cross_entropy(other(x), y).backward()
    gradients_agree(model, other)
    assert len(seen) == 2


def check_clipping_sees_the_common_gradient():
    model, other = mlp(), mlp()
    wrapped = DistributedDataParallel(model)
    x, y = batch()
    nn.functional.cross_entropy(wrapped(share(x)), share(y)).backward()
    nn.functional.cross_entropy(other(x), y).backward()
    norms = [nn.utils.clip_grad_norm_(each.parameters(), 0.1) for each in (wrapped, other)]
    torch.testing.assert_close(*norms)
    gradients_agree(model, other)


class Branches(nn.Module):
    """One of two branches, by rank, and one that nobody takes."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.trunk, self.a, self.b = nn.Linear(6, 6), nn.Linear(6, 3), nn.Linear(6, 3)
        self.never = nn.Linear(6, 3)

    def forward(self, x, first):
        return (self.a if first else self.b)(self.trunk(x))


def check_parameters_that_not_every_rank_uses():
    r, n = rank()
    model, other = Branches(), Branches()
    wrapped = DistributedDataParallel(model, find_unused_parameters=True)
    x, y = batch()
    for _ in range(2):
        nn.functional.cross_entropy(wrapped(share(x), r == 0), share(y)).backward()
        ys = [share(x), share(y)]
        sizes = [None] * n
        dist.all_gather_object(sizes, len(ys[0]))
        head = other(x[: sizes[0]], True), other(x[sizes[0] :], False)
        nn.functional.cross_entropy(torch.cat(head), y).backward()
    gradients_agree(model, other)
    assert model.never.weight.grad is None


def check_parameters_left_out_are_an_error_that_names_them():
    r, n = rank()
    wrapped = DistributedDataParallel(Branches())
    x, y = batch()
    out = wrapped(share(x), True)
    with pytest.raises(RuntimeError, match=r"b\.weight, b\.bias, never\.weight.*find_unused"):
        nn.functional.cross_entropy(out, share(y)).backward()
    assert wrapped.module.trunk.weight.grad is None


def check_frozen_parameters():
    models = [mlp(), mlp()]
    for each in models:
        each[0].requires_grad_(False)
    wrapped = DistributedDataParallel(models[0])
    x, y = batch()
    nn.functional.cross_entropy(wrapped(share(x)), share(y)).backward()
    nn.functional.cross_entropy(models[1](x), y).backward()
    gradients_agree(*models)
    with pytest.raises(RuntimeError, match="not needed"):
        DistributedDataParallel(nn.ReLU())


def check_running_statistics_are_those_of_rank_0():
    r, n = rank()
    model = nn.Sequential(nn.Linear(6, 6), nn.BatchNorm1d(6))
    wrapped = DistributedDataParallel(model)
    x, _ = batch()
    for _ in range(2):
        wrapped(share(x)).sum().backward()
    with torch.no_grad():
        wrapped(share(x))
    wrapped(share(x))  # begins from rank 0's
    mean = model[1].running_mean.clone()
    assert model[1].num_batches_tracked.item() == 4
    quiet = DistributedDataParallel(nn.BatchNorm1d(6), broadcast_buffers=False)
    quiet(share(x))
    mine = quiet.module.running_mean
    np.testing.assert_allclose(mine, share(x).mean(0) * 0.1, atol=1e-6)
    assert mean.isfinite().all()


def check_batch_norm_over_all_ranks():
    for shape in ((12, 4), (12, 4, 5), (12, 4, 3, 3)):
        for uneven in (False, True):
            x = torch.tensor(np.random.default_rng(1).standard_normal(shape), dtype=torch.float64)
            kind = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d}[len(shape)]
            plain = kind(4, dtype=torch.float64)
            nn.init.normal_(plain.weight)
            dist.broadcast(plain.weight.data, 0)
            model = nn.SyncBatchNorm.convert_sync_batchnorm(nn.Sequential(kind(4)).double())
            model[0].load_state_dict(plain.state_dict())
            assert type(model[0]) is nn.SyncBatchNorm
            whole = x.clone().requires_grad_()
            part = share(x, uneven).clone().requires_grad_()
            target = torch.cos(x)
            y, z = plain(whole), model(part)
            np.testing.assert_allclose(z.detach(), share(y.detach(), uneven), atol=1e-9)
            (y * target).sum().backward()
            (z * share(target, uneven)).sum().backward()
            np.testing.assert_allclose(part.grad, share(whole.grad, uneven), atol=1e-9)
            for p, q in zip(model.parameters(), plain.parameters()):
                dist.all_reduce(p.grad)
                np.testing.assert_allclose(p.grad, q.grad, atol=1e-9)
            for name, value in plain.state_dict().items():
                np.testing.assert_allclose(model[0].state_dict()[name], value, atol=1e-9)
            np.testing.assert_allclose(
                model.eval()(share(x, uneven)).detach(),
                share(plain.eval()(x).detach(), uneven),
                atol=1e-9,
            )


def check_ranks_with_fewer_batches_join():
    r, n = rank()
    model, other = mlp(), mlp()
    wrapped = DistributedDataParallel(model)
    x, y = batch(4 * n)
    optimizers = [torch.optim.SGD(each.parameters(), lr=0.1) for each in (model, other)]
    loss = nn.CrossEntropyLoss()
    with wrapped.join():
        for _ in range(r + 1):  # the last rank has the most
            part = slice(4 * r, 4 * r + 4)
            optimizers[0].zero_grad()
            loss(wrapped(x[part]), y[part]).backward()
            optimizers[0].step()
    for k in range(n):
        optimizers[1].zero_grad()
        loss(other(x[4 * k :]), y[4 * k :]).backward()
        optimizers[1].step()
    same(model, other)


def check_data_shared_out_by_the_sampler():
    r, n = rank()
    x, y = batch(13)
    data = TensorDataset(x, y, torch.arange(13))
    sampler = DistributedSampler(data, shuffle=True, seed=5)
    assert len(sampler) == -(-13 // n)
    orders = []
    for epoch in range(2):
        sampler.set_epoch(epoch)
        mine = [i for *_, k in DataLoader(data, 3, sampler=sampler) for i in k.tolist()]
        every = [None] * n
        dist.all_gather_object(every, mine)
        seen = [i for each in every for i in each]
        assert set(seen) == set(range(13)) and len(seen) == n * len(sampler)
        orders.append(mine)
    assert orders[0] != orders[1]


def check_a_model_whose_last_pass_was_forward_is_freed():
    wrapped = DistributedDataParallel(mlp())
    wrapped(share(batch()[0]))
    gone = weakref.ref(wrapped.module)
    del wrapped
    gc.collect()
    assert gone() is None
    other, (x, y) = DistributedDataParallel(mlp()), batch()
    nn.functional.cross_entropy(other(share(x)), share(y)).backward()
    assert current().before_backward == ()


def check_a_checkpoint_of_the_wrapped_model():
    model = mlp()
    wrapped = DistributedDataParallel(model)
    state = wrapped.state_dict()
    assert list(state)[0] == "module.0.weight"
    other = DistributedDataParallel(mlp(seed=9))
    other.load_state_dict(state)
    same(other, wrapped, atol=0)


def check_a_copy_of_the_wrapped_model_trains_by_itself():
    wrapped, other = DistributedDataParallel(mlp()), mlp()
    twin = copy.deepcopy(wrapped)
    x, y = batch()
    nn.functional.cross_entropy(twin(share(x)), share(y)).backward()
    nn.functional.cross_entropy(other(x), y).backward()
    gradients_agree(twin, other)
    assert wrapped.module[0].weight.grad is None


def check_models_that_differ_are_an_error_on_every_rank():
    r, n = rank()
    with pytest.raises(RuntimeError, match=r"same parameters on every rank.*0\.weight"):
        DistributedDataParallel(mlp(features=6 + (r == n - 1)))
    dist.barrier()


def check_training_does_not_depend_on_being_watched():
    from labtorch import observe

    results = []
    for watched in (False, True):
        wrapped = DistributedDataParallel(mlp(), bucket_cap_mb=0.0001)
        x, y = batch()
        optimizer = torch.optim.Adam(wrapped.parameters())
        if watched:
            with observe.record():
                train(wrapped, nn.CrossEntropyLoss(), optimizer, share(x), share(y))
        else:
            train(wrapped, nn.CrossEntropyLoss(), optimizer, share(x), share(y))
        results.append([p.detach().clone() for p in wrapped.parameters()])
    assert all(torch.equal(*pair) for pair in zip(*results))


if __name__ == "__main__":
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    chosen = launch.scenarios(globals())
    launch.serve({k: v for k, v in chosen.items() if not sys.argv[1:] or k in sys.argv})
