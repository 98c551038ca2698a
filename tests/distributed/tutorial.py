"""A program as people write them for PyTorch: it spawns its ranks itself."""

import os
import sys

import labtorch as torch
import labtorch.distributed as dist
import labtorch.multiprocessing as mp
import labtorch.nn as nn
import labtorch.optim as optim
from labtorch.nn.parallel import DistributedDataParallel as DDP


def setup(rank, world_size):
    os.environ["MASTER_ADDR"] = "localhost"
    os.environ["MASTER_PORT"] = "12355"
    dist.init_process_group("gloo", rank=rank, world_size=world_size)


def cleanup():
    dist.destroy_process_group()


class ToyModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.net1 = nn.Linear(10, 10)
        self.relu = nn.ReLU()
        self.net2 = nn.Linear(10, 5)

    def forward(self, x):
        return self.net2(self.relu(self.net1(x)))


def demo_checkpoint(rank, world_size, path):
    setup(rank, world_size)
    torch.manual_seed(rank)
    ddp_model = DDP(ToyModel())
    if rank == 0:
        torch.save(ddp_model.state_dict(), path)
    dist.barrier()
    ddp_model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    loss_fn = nn.MSELoss()
    optimizer = optim.SGD(ddp_model.parameters(), lr=0.001)
    optimizer.zero_grad()
    outputs = ddp_model(torch.randn(20, 10))
    loss_fn(outputs, torch.randn(20, 5)).backward()
    optimizer.step()
    print(f"rank {rank}: {sum(p.sum().item() for p in ddp_model.parameters()):.6f}")
    cleanup()


def fails(rank, world_size):
    setup(rank, world_size)
    if rank == 1:
        raise ValueError("no such batch")
    dist.barrier()


def dies(rank, world_size):
    setup(rank, world_size)
    if rank == 1:
        os.kill(os.getpid(), 9)
    dist.barrier()


if __name__ == "__main__":
    n = 2
    if sys.argv[1] == "demo_checkpoint":
        mp.spawn(demo_checkpoint, args=(n, sys.argv[2]), nprocs=n, join=True)
    else:
        try:
            mp.spawn(globals()[sys.argv[1]], args=(n,), nprocs=n)
        except mp.ProcessException as error:
            print(type(error).__name__, str(error).strip().splitlines()[-1])
