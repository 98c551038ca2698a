"""Jobs that go wrong in one rank while the others train."""

import os
import signal
import sys
import time

import labtorch as torch
import labtorch.distributed as dist
from labtorch import nn


def train(fails_at, fail):
    model = nn.parallel.DistributedDataParallel(nn.Linear(4, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(10_000):
        if step == fails_at and dist.get_rank() == dist.get_world_size() - 1:
            fail()
        optimizer.zero_grad()
        model(torch.ones(8, 4)).sum().backward()
        optimizer.step()


def killed():
    train(20, lambda: os.kill(os.getpid(), signal.SIGKILL))


def raises():
    def fail():
        raise ValueError("a batch that cannot be read")

    train(20, fail)


def raises_while_others_compute():
    if dist.get_rank() == 0:
        raise ValueError("early")
    time.sleep(60)


def exits():
    train(20, sys.exit)


def exits_with_a_status():
    train(20, lambda: sys.exit(3))


def parts_in_peace():
    dist.barrier()
    dist.destroy_process_group()
    print("done")


if __name__ == "__main__":
    dist.init_process_group("mpi")
    globals()[sys.argv[1]]()
