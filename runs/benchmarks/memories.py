"""A DNC's step, forward and backward: plain and compiled, against the package `dnc`."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn

from memory import compile_memory
from memory.dnc import DNC
from runs.benchmarks.timing import Figure, medians
from runs.progress import Progress

STEPS = 8
INPUT = 64
SHAPE: dict[str, Any] = {"slots": 256, "width": 64, "reads": 4}
BATCH = 32


def learn(memory: nn.Module, inputs: torch.Tensor) -> None:
    """Forward and backward over the steps of `inputs` (T, N, INPUT), each written and asked."""
    state: Any = memory.initial_state(inputs.shape[1])  # type: ignore[operator]
    total = torch.zeros(())
    for step in inputs:
        read, state = memory(step, step, state)
        total = total + read.sum()
    total.backward()


class Packaged(nn.Module):
    """The memory of the package `dnc` (`pip install dnc`), with the interface of ours.

    Args:
        input_size: width of what it is given.
        slots: number of slots.
        width: of a slot.
        reads: read heads.
    """

    def __init__(self, input_size: int, slots: int, width: int, reads: int) -> None:
        super().__init__()
        from dnc.memory import Memory

        self.memory = Memory(input_size, slots, width, reads, independent_linears=False)
        self.initial_state = self.memory.reset

    def forward(
        self, write: torch.Tensor, query: torch.Tensor, state: dict[str, torch.Tensor]
    ) -> tuple[torch.Tensor, object]:
        """One step: (N, input_size) to the read vectors (N, R, W); `query` must equal `write`."""
        return self.memory(write, state)


def compiled(*args: Any, **kwargs: Any) -> nn.Module:
    """The DNC with `torch.compile`; it compiles in the round that is not measured."""
    return compile_memory(DNC(*args, **kwargs))


def contenders(bar: Progress) -> dict[str, Callable[..., nn.Module]]:
    """What is measured, by name; the package where it is installed, the compiled step where it can be compiled."""
    found: dict[str, Callable[..., nn.Module]] = {"DNC": DNC, "DNC compiled": compiled, "package dnc": Packaged}
    if importlib.util.find_spec("dnc") is None:
        bar.write("dnc is not installed: skipped (pip install '.[bench]')")
        del found["package dnc"]
    try:
        compiled(INPUT, **SHAPE)
    except ValueError as error:
        bar.write(f"{error}: skipped")
        del found["DNC compiled"]
    return found


def memories(repeats: int, bar: Progress) -> list[Figure]:
    """Steps per second at 256×64, 4 reads, batch 32, in turn; time per step against slots and batch."""
    torch.manual_seed(0)
    kinds = contenders(bar)
    calls: dict[str, Callable[[], object]] = {
        name: partial(learn, kind(INPUT, **SHAPE), torch.randn(STEPS, BATCH, INPUT)) for name, kind in kinds.items()
    }
    forms = [(64, 32), (128, 32), (512, 32), (256, 1), (256, 8)]
    for slots, batch in forms:
        memory = DNC(INPUT, **{**SHAPE, "slots": slots})
        calls[f"{slots} slots, batch {batch}"] = partial(learn, memory, torch.randn(STEPS, batch, INPUT))
    seconds = medians(calls, repeats=repeats, bar=bar)
    rates = {name: STEPS / seconds[name] for name in kinds}
    figures = [Figure(f"{name}, 256×64, 4 reads, batch 32", rate, "steps/s") for name, rate in rates.items()]
    ours = [name for name in kinds if name.startswith("DNC")]
    others = [name for name in kinds if name not in ours]
    figures += [Figure(f"{one} / {other}", rates[one] / rates[other], "×") for one in ours for other in others]
    for slots, batch in forms:
        figures.append(
            Figure(f"DNC, {slots} slots, batch {batch}", seconds[f"{slots} slots, batch {batch}"] / STEPS * 1e3, "ms")
        )
    return figures
