"""Several processes, each with its share of every batch: started by `torchrun`, or by `runs.launch` on a CPU."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor, nn


def rank() -> int:
    """Number of this process, 0 where it is alone."""
    return int(os.environ.get("RANK", "0"))


def world_size() -> int:
    """Number of processes."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def local_rank() -> int:
    """Number of this process on its machine: the GPU it takes."""
    return int(os.environ.get("LOCAL_RANK", "0"))


@contextmanager
def process_group(device: torch.device) -> Iterator[None]:
    """Joins the processes that were started together; does nothing for a process alone.

    Raises:
        ConnectionError: where they do not find each other.
    """
    if world_size() == 1 or dist.is_initialized():
        yield
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    # The first optimizer loads this module. Its functions take the group of that moment as a default and keep
    # it: gloo's threads then outlive `destroy_process_group`, and may abort the interpreter when it shuts down.
    importlib.import_module("torch.distributed.nn.functional")
    with connected():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


@contextmanager
def connected() -> Iterator[None]:
    """ConnectionError where the processes cannot reach each other, as after the end of one of them."""
    try:
        yield
    except RuntimeError as error:
        cause = str(error).strip().partition("\n")[0]
        raise ConnectionError(f"a process of this training has ended or cannot be reached ({cause})") from error


def meet(device: torch.device) -> None:
    """Waits until all processes are here."""
    all_mean(torch.zeros(1, device=device))


def all_mean(value: Tensor) -> Tensor:
    """The mean of `value` over the processes, in place.

    Raises:
        ConnectionError: where another process has ended.
    """
    if world_size() > 1:
        with connected():
            dist.all_reduce(value)
        value /= world_size()
    return value


def agreed(own: bool, device: torch.device) -> bool:
    """Whether it holds for any of the processes: the same answer for all."""
    return bool(all_mean(torch.tensor(float(own), device=device)) > 0)


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replaces the gradients by their means over the processes, in one flat all-reduce.

    A parameter without a gradient counts as zero where another process has one, as of a gaze that moved there alone.
    """
    if world_size() == 1:
        return
    learned = [parameter for parameter in parameters if parameter.requires_grad]
    given = [parameter.grad is not None for parameter in learned]
    gradients = [torch.zeros_like(one) if one.grad is None else one.grad for one in learned]
    shares = learned[0].new_tensor(given)
    _average([*gradients, shares])
    for index, parameter in enumerate(learned):
        if not given[index] and shares[index]:
            parameter.grad = gradients[index]


def average_buffers(buffers: Iterable[Tensor]) -> None:
    """Replaces floating-point buffers by their means over the processes: statistics of what each of them saw."""
    values = [buffer for buffer in buffers if buffer.is_floating_point()]
    if world_size() > 1 and values:
        _average(values)


def _average(values: list[Tensor]) -> None:
    flat = all_mean(torch.cat([value.reshape(-1) for value in values]))
    for value, mean in zip(values, flat.split([v.numel() for v in values]), strict=True):
        value.copy_(mean.view_as(value))
