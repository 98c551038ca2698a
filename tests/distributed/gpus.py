"""Scenarios for every rank of a job without a GPU: a stand-in for CuPy, and one for its NCCL.

The stand-in for NCCL takes addresses, counts and the numbers of types and operations, as CuPy's
binding does, and MPI carries what it is given.
"""

import ctypes
import sys
from collections import Counter
from types import ModuleType

import numpy as np

import labtorch as torch
import labtorch.distributed as dist
from labtorch import nn
from labtorch.distributed import carriers
from labtorch.nn.parallel import DistributedDataParallel
from tests.distributed import launch
from tests.gpu import standin

TYPES = "INT8 UINT8 INT32 UINT32 INT64 UINT64 FLOAT16 FLOAT32 FLOAT64".split()
NUMBERS = {f"NCCL_{name}": k for k, name in enumerate(TYPES)}
NUMBERS |= {"NCCL_SUM": 0, "NCCL_PROD": 1, "NCCL_MAX": 2, "NCCL_MIN": 3}
calls: Counter[str] = Counter()


def at(address, count, kind):
    dtype = np.dtype(TYPES[kind].lower())
    memory = (ctypes.c_byte * (count * dtype.itemsize)).from_address(address)
    return np.frombuffer(memory, dtype)


class NcclCommunicator:
    def __init__(self, ndev, commId, rank, config=None):
        from mpi4py import MPI

        assert isinstance(commId, bytes) and len(commId) == 128
        self.comm = MPI.COMM_WORLD.Split(0, rank)
        self.ops = [MPI.SUM, MPI.PROD, MPI.MAX, MPI.MIN]
        assert (self.comm.size, self.comm.rank) == (ndev, rank)

    def allReduce(self, sendbuf, recvbuf, count, datatype, op, stream):
        calls["allReduce"] += 1
        given = at(sendbuf, count, datatype).copy()
        self.comm.Allreduce(given, at(recvbuf, count, datatype), self.ops[op])

    def reduce(self, sendbuf, recvbuf, count, datatype, op, root, stream):
        calls["reduce"] += 1
        self.comm.Reduce(
            at(sendbuf, count, datatype), at(recvbuf, count, datatype), self.ops[op], root
        )

    def broadcast(self, sendbuff, recvbuff, count, datatype, root, stream):
        calls["broadcast"] += 1
        assert sendbuff == recvbuff
        self.comm.Bcast(at(recvbuff, count, datatype), root)

    def allGather(self, sendbuf, recvbuf, count, datatype, stream):
        calls["allGather"] += 1
        self.comm.Allgather(
            at(sendbuf, count, datatype), at(recvbuf, count * self.comm.size, datatype)
        )

    def reduceScatter(self, sendbuf, recvbuf, recvcount, datatype, op, stream):
        calls["reduceScatter"] += 1
        self.comm.Reduce_scatter_block(
            at(sendbuf, recvcount * self.comm.size, datatype),
            at(recvbuf, recvcount, datatype),
            self.ops[op],
        )


def nccl():
    """The module that CuPy has where NCCL is."""
    found = ModuleType("cupy.cuda.nccl")
    found.__dict__.update(NUMBERS, available=True, NcclCommunicator=NcclCommunicator)
    found.get_unique_id = lambda: bytes(128)
    return found


def rank():
    return dist.get_rank(), dist.get_world_size()


def numbers(r, dtype=torch.float32):
    drawn = np.random.default_rng(r).integers(1, 4, (3, 2))
    return torch.tensor(drawn, device="cuda").to(dtype)


def same(x, expected):
    assert x.is_cuda
    np.testing.assert_allclose(x.cpu().numpy(), expected.cpu().numpy(), rtol=1e-6)


def check_collectives_of_gpus():
    r, n = rank()
    assert dist.is_nccl_available() and dist.get_backend() == "nccl"
    for dtype in (torch.float32, torch.float64, torch.float16, torch.int64, torch.int32):
        total = sum(numbers(k, dtype) for k in range(n))
        x = numbers(r, dtype)
        dist.all_reduce(x)
        same(x, total)
        x = numbers(r, dtype)
        dist.reduce(x, n - 1)
        same(x, total if r == n - 1 else numbers(r, dtype))
        x = numbers(r, dtype)
        dist.broadcast(x, 1)
        same(x, numbers(1, dtype))
    for op, combine in (("MAX", np.maximum), ("MIN", np.minimum), ("PRODUCT", np.multiply)):
        x = numbers(r)
        dist.all_reduce(x, getattr(dist.ReduceOp, op))
        every = [numbers(k).cpu().numpy() for k in range(n)]
        np.testing.assert_array_equal(x.cpu().numpy(), combine.reduce(every))
    x = numbers(r)
    dist.all_reduce(x, dist.ReduceOp.AVG)
    same(x, sum(numbers(k) for k in range(n)) / n)
    flags = torch.tensor([r == 0, False], device="cuda")
    dist.all_reduce(flags)
    assert flags.tolist() == [True, False]
    slots = [torch.zeros(3, 2, device="cuda") for _ in range(n)]
    dist.all_gather(slots, numbers(r))
    joined = torch.zeros(3 * n, 2, device="cuda")
    dist.all_gather_into_tensor(joined, numbers(r))
    for k, each in enumerate(slots):
        same(each, numbers(k))
        same(joined[3 * k : 3 * k + 3], numbers(k))
    out = torch.zeros(3, 2, device="cuda")
    dist.reduce_scatter(out, [numbers(r) * (k + 1) for k in range(n)])
    same(out, sum(numbers(k) for k in range(n)) * (r + 1))
    works = [dist.all_reduce(numbers(r), async_op=True) for _ in range(3)]
    assert all(work.wait() for work in works)
    assert set(calls) == {"allReduce", "reduce", "broadcast", "allGather", "reduceScatter"}


def check_what_nccl_lacks_goes_through_the_host():
    r, n = rank()
    calls.clear()
    bits = torch.tensor([1 << r], device="cuda")
    dist.all_reduce(bits, dist.ReduceOp.BOR)
    assert bits.tolist() == [(1 << n) - 1]
    wave = torch.tensor([1 + 2j], device="cuda")
    dist.all_reduce(wave)
    assert wave.tolist() == [n * (1 + 2j)]
    slots = [torch.zeros(3, 2, device="cuda") for _ in range(n)] if r == 0 else None
    dist.gather(numbers(r), slots)
    for k, each in enumerate(slots or ()):
        same(each, numbers(k))
    host = torch.ones(2)
    dist.all_reduce(host)
    assert host.tolist() == [n, n] and not calls


def check_a_model_on_gpus_is_trained_as_on_the_cpu():
    r, n = rank()
    models = []
    for device in ("cpu", "cuda"):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 3))
        models.append(DistributedDataParallel(model.to(device), bucket_cap_mb=0.0001))
    draw = np.random.default_rng(r)
    x = torch.tensor(draw.standard_normal((4 + r, 6)), dtype=torch.float32)
    y = torch.tensor(draw.integers(0, 3, 4 + r))
    calls.clear()
    for model, device in zip(models, ("cpu", "cuda")):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        a, b = x.to(device), y.to(device)
        for _ in range(3):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(a), b)
            before = standin.crossings["to host"] + standin.crossings["number"]
            loss.backward()
            assert standin.crossings["to host"] + standin.crossings["number"] == before
            optimizer.step()
    buckets = len(models[1].reducer.buckets)
    assert buckets > 2 and calls["allReduce"] == 3 * buckets
    for p, q in zip(models[1].parameters(), models[0].parameters()):
        np.testing.assert_allclose(p.detach().cpu().numpy(), q.detach().numpy(), rtol=0, atol=1e-6)


def check_ranks_that_share_a_gpu_do_not_use_nccl():
    r, n = rank()
    calls.clear()
    carriers.whereabouts = lambda device: ("one computer", "one GPU")
    part = dist.new_group(list(range(n)))
    x = torch.ones(2, device="cuda")
    dist.all_reduce(x, group=part)
    assert x.tolist() == [n, n] and not calls


if __name__ == "__main__":
    with standin.installed():
        import cupy

        cupy.cuda.nccl = sys.modules["cupy.cuda.nccl"] = nccl()
        dist.init_process_group("nccl")
        cupy.cuda.Device.pci_bus_id = property(lambda self: f"{dist.get_rank()}:{self.id}")
        launch.serve(launch.scenarios(globals()))
