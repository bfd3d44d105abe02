"""Keeps what a memory does, step by step, for pictures and statistics."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from agents.trajectory import Watched


class Watcher:
    """Collects `Memory.watch` of every step.

    Args:
        agent: whose memory is watched.
    """

    def __init__(self, agent: Any) -> None:
        self.agent = agent
        self.each: dict[str, list[Tensor]] = {}
        self.contents: Tensor | None = None
        self.step: Tensor | None = None

    def add(self, state: Any, alive: Tensor) -> None:
        """Count a step in, by the agent's state after it; rows that are not `alive` (N,) bool keep what they held."""
        now = self.agent.watch(state)
        self.contents = _kept(self.contents, now.contents, alive)
        self.step = _kept(self.step, now.step, alive)
        for name, value in (("read", now.read), ("write", now.write), ("gate", now.gate)):
            if value is not None:
                self.each.setdefault(name, []).append(value.detach())

    def watched(self) -> Watched:
        """All steps so far."""
        kept = {name: torch.stack(values) for name, values in self.each.items()}
        gate = kept.get("gate")
        return Watched(
            kept.get("read"), kept.get("write"), None if gate is None else gate[..., 0], self.contents, self.step
        )


def _kept(old: Tensor | None, new: Tensor | None, alive: Tensor) -> Tensor | None:
    if old is None or new is None:
        return new
    return torch.where(alive.view(-1, *[1] * (new.dim() - 1)), new, old)
