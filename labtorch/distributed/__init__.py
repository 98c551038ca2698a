"""Several processes as one: torch.distributed's names, on MPI and NCCL."""
