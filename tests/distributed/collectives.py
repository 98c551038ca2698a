"""Scenarios for every rank of a job: what collectives do, against the definition of each."""

from datetime import timedelta

import numpy as np
import pytest

import labtorch as torch
import labtorch.distributed as dist
from tests.distributed import launch

DTYPES = (torch.float32, torch.float64, torch.float16, torch.int64, torch.uint8, torch.bool)


def rank():
    return dist.get_rank(), dist.get_world_size()


def numbers(r, shape=(3, 2), dtype=torch.float32):
    """What rank r brings; every rank can tell."""
    drawn = np.random.default_rng(r).integers(1, 4, shape)
    return torch.tensor(drawn).to(dtype)


def check_ranks_are_told_as_torchrun_does():
    import os

    r, n = rank()
    assert (int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])) == (r, n)
    assert int(os.environ["LOCAL_RANK"]) == r
    assert dist.is_initialized() and dist.get_backend() == "gloo"
    assert dist.get_process_group_ranks(None) == list(range(n))


def check_all_reduce_with_every_operation():
    r, n = rank()
    stacked = np.stack([numbers(k).numpy() for k in range(n)])
    ops = {"SUM": stacked.sum(0), "PRODUCT": stacked.prod(0), "MIN": stacked.min(0)}
    ops |= {"MAX": stacked.max(0), "AVG": stacked.mean(0)}
    for name, expected in ops.items():
        x = numbers(r)
        assert dist.all_reduce(x, getattr(dist.ReduceOp, name)) is None
        np.testing.assert_allclose(x.numpy(), expected, rtol=1e-6)
    whole = np.stack([numbers(k, dtype=torch.int64).numpy() for k in range(n)])
    for name, function in (("BAND", np.bitwise_and), ("BOR", np.bitwise_or)):
        x = numbers(r, dtype=torch.int64)
        dist.all_reduce(x, getattr(dist.ReduceOp, name))
        np.testing.assert_array_equal(x.numpy(), function.reduce(whole))


def check_every_dtype_and_layout():
    r, n = rank()
    for dtype in DTYPES:
        x = numbers(r, dtype=dtype)
        dist.all_reduce(x)
        expected = sum(numbers(k, dtype=dtype).to(torch.int64) for k in range(n)).to(dtype)
        assert torch.equal(x, expected), dtype
        y = numbers(r, dtype=dtype) if r == n - 1 else torch.zeros(3, 2, dtype=dtype)
        dist.broadcast(y, n - 1)
        assert torch.equal(y, numbers(n - 1, dtype=dtype)), dtype
    wide = numbers(r, (2, 3)).t()
    dist.all_reduce(wide)
    assert torch.equal(wide, sum(numbers(k, (2, 3)).t() for k in range(n)))
    scalar = torch.tensor(float(r))
    dist.all_reduce(scalar)
    assert scalar.item() == n * (n - 1) / 2
    empty = torch.zeros(0, 3)
    dist.all_reduce(empty)
    part = torch.zeros(4)
    dist.all_reduce(part[1:3].fill_(r + 1))
    assert part.tolist() == [0, *[n * (n + 1) / 2] * 2, 0]


def check_reduce_and_gather_give_to_one():
    r, n = rank()
    x = numbers(r)
    dist.reduce(x, dst=n - 1)
    expected = sum(numbers(k) for k in range(n)) if r == n - 1 else numbers(r)
    assert torch.equal(x, expected)
    slots = [torch.zeros(3, 2) for _ in range(n)] if r == 0 else None
    dist.gather(numbers(r), slots, dst=0)
    for k, each in enumerate(slots or ()):
        assert torch.equal(each, numbers(k))
    if r:
        with pytest.raises(ValueError, match="gather_list"):
            dist.gather(numbers(r), [torch.zeros(1)], dst=0)


def check_scatter_and_all_gather():
    r, n = rank()
    x = torch.zeros(3, 2)
    dist.scatter(x, [numbers(k) for k in range(n)] if r == 0 else None, src=0)
    assert torch.equal(x, numbers(r))
    slots = [torch.zeros(3, 2) for _ in range(n)]
    dist.all_gather(slots, x)
    assert all(torch.equal(each, numbers(k)) for k, each in enumerate(slots))
    for shape in ((3 * n, 2), (n, 3, 2)):
        out = torch.zeros(shape)
        dist.all_gather_into_tensor(out, x)
        assert torch.equal(out.reshape(n, 3, 2), torch.stack(slots))


def check_reduce_scatter():
    r, n = rank()
    out = torch.zeros(3, 2)
    dist.reduce_scatter(out, [numbers(r) * (k + 1) for k in range(n)])
    total = sum(numbers(k) for k in range(n))
    assert torch.equal(out, total * (r + 1))
    given = torch.cat([numbers(r) * (k + 1) for k in range(n)])
    dist.reduce_scatter_tensor(out, given, op=dist.ReduceOp.AVG)
    torch.testing.assert_close(out, total * (r + 1) / n)


def check_all_to_all():
    r, n = rank()
    out = [torch.zeros(k + 1) for k in range(n)]
    dist.all_to_all(out, [torch.full((r + 1,), float(10 * r + k)) for k in range(n)])
    for k, each in enumerate(out):
        assert each.tolist() == [10 * k + r] * (k + 1)
    single = torch.zeros(2 * n, 2)
    dist.all_to_all_single(single, torch.arange(4.0 * n).reshape(2 * n, 2) + 100 * r)
    for k in range(n):
        own = torch.arange(4.0 * n).reshape(2 * n, 2)[2 * r : 2 * r + 2] + 100 * k
        assert torch.equal(single[2 * k : 2 * k + 2], own)
    with pytest.raises(RuntimeError, match="send"):
        dist.all_to_all_single(
            torch.zeros(n),
            torch.zeros(n + 1),
            input_split_sizes=[2] + [1] * (n - 1),
        )


def check_objects():
    r, n = rank()
    every = [None] * n
    dist.all_gather_object(every, {"rank": r, "text": "字" * r})
    assert every == [{"rank": k, "text": "字" * k} for k in range(n)]
    given = ["a", {1: 2}] if r == 0 else [None, None]
    dist.broadcast_object_list(given)
    assert given == ["a", {1: 2}]
    mine = [None]
    dist.scatter_object_list(mine, list(range(n)) if r == 0 else None)
    assert mine == [r]
    slots = [None] * n if r == 0 else None
    dist.gather_object(r, slots)
    assert slots == (list(range(n)) if r == 0 else None)
    if r == 0:
        dist.send_object_list([1, "b"], dst=1)
    elif r == 1:
        got = [None, None]
        assert dist.recv_object_list(got) == 0 and got == [1, "b"]


def check_messages_between_two():
    r, n = rank()
    to, source = (r + 1) % n, (r - 1) % n
    got = torch.zeros(3, 2)
    works = dist.batch_isend_irecv(
        [dist.P2POp(dist.isend, numbers(r), to), dist.P2POp(dist.irecv, got, source)]
    )
    for each in works:
        each.wait()
    assert torch.equal(got, numbers(source))
    if r == 0:
        dist.send(torch.ones(2), 1, tag=7)
        dist.send(torch.ones(5), 1, tag=8)
    elif r == 1:
        pair = torch.zeros(2)
        assert dist.recv(pair, tag=7) == 0 and pair.tolist() == [1, 1]
        with pytest.raises(RuntimeError, match="same size"):
            dist.recv(pair, 0, tag=8)
    with pytest.raises(ValueError, match="itself"):
        dist.send(torch.ones(1), r)


def check_asynchronous_work():
    r, n = rank()
    tensors = [torch.full((1000,), float(r + k)) for k in range(20)]
    works = [dist.all_reduce(each, async_op=True) for each in tensors]
    for k, (work, each) in enumerate(zip(works, tensors)):
        assert work.wait() and work.is_completed()
        assert each[0].item() == sum(q + k for q in range(n))


def check_groups():
    r, n = rank()
    last = dist.new_group([n - 1, 0] if n > 1 else [0])
    x = torch.tensor([float(r)])
    if r in (0, n - 1):
        dist.all_reduce(x, group=last)
        assert x.item() == n - 1
        assert last.size() == 2 and dist.get_group_rank(last, n - 1) == 1
        assert dist.get_global_rank(last, 1) == n - 1
    else:
        assert last is dist.GroupMember.NON_GROUP_MEMBER and dist.get_rank(last) == -1
        with pytest.raises(ValueError, match="not in"):
            dist.all_reduce(x, group=last)
    with pytest.raises(ValueError, match="new_group"):
        dist.new_group([0, n])


def check_a_tensor_in_a_graph_notices():
    r, n = rank()
    w = torch.ones(3, requires_grad=True)
    y = w * 2
    z = y * y
    dist.all_reduce(y.detach())
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.sum().backward()


def check_calls_that_differ_are_errors_on_every_rank():
    r, n = rank()
    with pytest.raises(RuntimeError, match=r"rank 0 calls all_reduce\(float32 \[2\], SUM\)"):
        dist.all_reduce(torch.zeros(2 if r == 0 else 3))
    with pytest.raises(RuntimeError, match="float64"):
        dist.broadcast(torch.zeros(2, dtype=torch.float64 if r else torch.float32), 0)
    with pytest.raises(RuntimeError, match="do not call the same"):
        if r == 0:
            dist.barrier()
        else:
            dist.all_reduce(torch.zeros(2))
    with pytest.raises(RuntimeError, match="do not call the same"):
        dist.all_reduce(torch.zeros(2), dist.ReduceOp.MAX if r else dist.ReduceOp.SUM)
    dist.barrier()  # and the job goes on


def check_bad_arguments():
    r, n = rank()
    with pytest.raises(TypeError, match="torch.Tensor, not list"):
        dist.all_reduce([1.0])
    with pytest.raises(ValueError, match="op is one of"):
        dist.all_reduce(torch.zeros(1), "MEAN")
    with pytest.raises(ValueError, match="integers"):
        dist.all_reduce(torch.zeros(1), dist.ReduceOp.BAND)
    with pytest.raises(ValueError, match=f"src={n} is not in the group"):
        dist.broadcast(torch.zeros(1), n)
    with pytest.raises(ValueError, match=f"each of the {n} ranks"):
        dist.all_gather([torch.zeros(1)], torch.zeros(1))
    with pytest.raises(ValueError, match="does not hold"):
        dist.all_gather_into_tensor(torch.zeros(n + 1), torch.zeros(1))
    with pytest.raises(ValueError, match="twice"):
        dist.init_process_group("mpi")


def check_a_wait_that_is_too_long_ends():
    """The last scenario: whoever gave up waiting is out of step with the others."""
    r, n = rank()
    if r == 0:
        with pytest.raises(RuntimeError, match="monitored_barrier waited 0.3 seconds"):
            dist.monitored_barrier(timeout=timedelta(seconds=0.3))
        with pytest.raises(RuntimeError, match="waited"):
            dist.barrier()


if __name__ == "__main__":
    dist.init_process_group("gloo", timeout=timedelta(seconds=30))
    launch.serve(launch.scenarios(globals()))
