"""Numbers of any kind, in units of their own deviation; and bits, as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from agents.encoders.base import Encoder
from agents.spec import Observation, Parts

if TYPE_CHECKING:
    from agents.config import AgentConfig


class Standardise(nn.Module):
    """Values in units of their own deviation, over all that was seen in training.

    Args:
        values: in a row.
    """

    count: Tensor
    mean: Tensor
    square: Tensor

    def __init__(self, values: int) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))
        self.register_buffer("mean", torch.zeros(values, dtype=torch.float64))
        self.register_buffer("square", torch.zeros(values, dtype=torch.float64))

    def update(self, row: Tensor) -> None:
        """Count these values (B, values) in."""
        self.count += len(row)
        share = len(row) / self.count
        self.mean += share * (row.double().mean(0) - self.mean)
        self.square += share * (row.double().square().mean(0) - self.square)

    def forward(self, row: Tensor) -> Tensor:
        """(B, values) to the same, within 10 deviations; what never changes becomes 0."""
        deviation = (self.square - self.mean.square()).clamp(min=1e-8).sqrt()
        return ((row - self.mean.to(row.dtype)) / deviation.to(row.dtype)).clamp(-10, 10)


class ValuesEncoder(Encoder):
    """Any numbers in one row: relu(W x) * (1 + f(x)), so that any of them can gate any other."""

    def __init__(self, parts: Parts, config: AgentConfig) -> None:
        super().__init__(parts, config)
        self.periphery_size = self.values()
        self.standardise = Standardise(self.values())
        self.what = nn.Linear(self.values(), config.width)
        self.gate = nn.Sequential(
            nn.Linear(self.values(), config.width), nn.ReLU(), nn.Linear(config.width, config.width)
        )

    def forward(self, observation: Observation) -> Tensor:
        """(B, width)."""
        row = self.in_a_row(observation)
        if self.training and torch.is_grad_enabled():  # what is seen again for a gradient is counted once
            self.standardise.update(row)
        row = self.standardise(row)
        return torch.relu(self.what(row)) * (1 + self.gate(row))

    def periphery(self, observation: Observation) -> Tensor:
        """(B, values), the same values in units of their deviation."""
        return self.standardise(self.in_a_row(observation))


class BitsEncoder(Encoder):
    """Rows of bits as they are: the memory's own interface, or the core, maps them. The width is their number."""

    def __init__(self, parts: Parts, config: AgentConfig) -> None:
        super().__init__(parts, config)
        self.width = self.values()

    def forward(self, observation: Observation) -> Tensor:
        """(B, bits)."""
        return self.in_a_row(observation)
