"""What every encoder is: some parts of an observation in, one vector out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from agents.spec import Observation, Parts

if TYPE_CHECKING:
    from agents.config import AgentConfig


def check_named(parts: Parts, names: tuple[str, ...], what: str) -> None:
    """See that parts of these names are there, for an encoder that asks for them by name.

    Raises:
        ValueError: for the first that is not.
    """
    if missing := [name for name in names if name not in parts]:
        raise ValueError(f"{what} observed as {', '.join(names)}; there is no {missing[0]!r}")


class Encoder(nn.Module):
    """Encodes the parts of an observation that its row of `ENCODERS` takes.

    Args:
        parts: that it takes.
        config: of the agent.

    Attributes:
        width: of the result.
        modulates: whether the result says where something is, and so multiplies what the other encoders see.
        periphery_size: values that the gaze sees of these parts beside the features; 0 for none.
    """

    width: int
    modulates = False
    periphery_size = 0

    def __init__(self, parts: Parts, config: AgentConfig) -> None:
        super().__init__()
        self.parts, self.width = parts, config.width

    def forward(self, observation: Observation) -> Tensor:
        """(B, width), of an observation's parts (B, …)."""
        raise NotImplementedError

    def periphery(self, observation: Observation) -> Tensor:
        """(B, periphery_size), what draws the gaze; asked for only where that is more than 0."""
        raise NotImplementedError

    def in_a_row(self, observation: Observation) -> Tensor:
        """(B, values), all of these parts side by side."""
        rows = [observation[name].flatten(1) for name in self.parts]
        return rows[0] if len(rows) == 1 else torch.cat(rows, 1)

    def values(self) -> int:
        """Number of values in `in_a_row`."""
        return sum(part.values for part in self.parts.values())
