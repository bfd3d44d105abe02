"""A differentiable neural computer's step, forward and backward, against the packaged PyTorch one's formulas."""

from __future__ import annotations

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


def memories(repeats: int, bar: tqdm) -> list[Figure]:
    """Steps per second at 256×64, 4 reads, batch 32, beside the reference; time per step against slots and batch."""
    torch.manual_seed(0)
    calls: dict[str, Callable[[], object]] = {}
    for name, kind in (("reference DNC", ReferenceDNC), ("DNC", DNC)):
        calls[name] = partial(learn, kind(INPUT, **SHAPE), torch.randn(STEPS, BATCH, INPUT))
    forms = [(64, 32), (128, 32), (512, 32), (256, 1), (256, 8)]
    for slots, batch in forms:
        memory = DNC(INPUT, **{**SHAPE, "slots": slots})
        calls[f"{slots} slots, batch {batch}"] = partial(learn, memory, torch.randn(STEPS, batch, INPUT))
    seconds = medians(calls, repeats=repeats, bar=bar)
    rates = {name: STEPS / seconds[name] for name in ("reference DNC", "DNC")}
    figures = [Figure(f"{name}, 256×64, 4 reads, batch 32", rate, "steps/s") for name, rate in rates.items()]
    figures.append(Figure("DNC / reference", rates["DNC"] / rates["reference DNC"], "×"))
    for slots, batch in forms:
        figures.append(
            Figure(f"DNC, {slots} slots, batch {batch}", seconds[f"{slots} slots, batch {batch}"] / STEPS * 1e3, "ms")
        )
    return figures
