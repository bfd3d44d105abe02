"""A differentiable neural computer's step, forward and backward, against the packaged PyTorch one's formulas."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn
from tqdm import tqdm

from memory.dnc import DNC
from runs.measures import Figure
from runs.measures.reference_dnc import ReferenceDNC
from runs.measures.timing import medians

STEPS = 8
INPUT = 64
SHAPE: dict[str, Any] = {"slots": 256, "width": 64, "reads": 4}
BATCH = 32


def learn(memory: nn.Module, inputs: torch.Tensor) -> None:
    """Forward and backward over the steps of `inputs` (T, N, INPUT)."""
    state: Any = memory.initial_state(inputs.shape[1])  # type: ignore[operator]
    total = torch.zeros(())
    for step in inputs:
        read, state = memory(step, state)
        total = total + read.sum()
    total.backward()


class Packaged(nn.Module):
    """The memory of the package `dnc` (`pip install dnc`), under our names.

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

    def forward(self, input: torch.Tensor, state: dict[str, torch.Tensor]) -> tuple[torch.Tensor, object]:
        """One step: (N, input_size) to the read vectors (N, R, W)."""
        return self.memory(input, state)


def peers(bar: tqdm) -> dict[str, Callable[..., nn.Module]]:
    """What the DNC is set against, by name: its formulas one by one, and the package where it is installed."""
    found: dict[str, Callable[..., nn.Module]] = {"formulas": ReferenceDNC}
    if importlib.util.find_spec("dnc") is None:
        bar.write("dnc is not installed: skipped (pip install '.[bench]')")
    else:
        found["package dnc"] = Packaged
    return found


def memories(repeats: int, bar: tqdm) -> list[Figure]:
    """Steps per second at 256×64, 4 reads, batch 32, beside the reference; time per step against slots and batch."""
    torch.manual_seed(0)
    calls: dict[str, Callable[[], object]] = {}
    others = peers(bar)
    for name, kind in {**others, "DNC": DNC}.items():
        calls[name] = partial(learn, kind(INPUT, **SHAPE), torch.randn(STEPS, BATCH, INPUT))
    forms = [(64, 32), (128, 32), (512, 32), (256, 1), (256, 8)]
    for slots, batch in forms:
        memory = DNC(INPUT, **{**SHAPE, "slots": slots})
        calls[f"{slots} slots, batch {batch}"] = partial(learn, memory, torch.randn(STEPS, batch, INPUT))
    seconds = medians(calls, repeats=repeats, bar=bar)
    rates = {name: STEPS / seconds[name] for name in (*others, "DNC")}
    figures = [Figure(f"{name}, 256×64, 4 reads, batch 32", rate, "steps/s") for name, rate in rates.items()]
    figures += [Figure(f"DNC / {name}", rates["DNC"] / rates[name], "×") for name in others]
    for slots, batch in forms:
        figures.append(
            Figure(f"DNC, {slots} slots, batch {batch}", seconds[f"{slots} slots, batch {batch}"] / STEPS * 1e3, "ms")
        )
    return figures
