"""Which word to look at next, of those around the present one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from agents.heads.base import View, ViewSize
from agents.heads.mixture import MixtureHead
from agents.heads.place import gaze_features
from agents.spec import PartSpec

if TYPE_CHECKING:
    from agents.config import AgentConfig

REACH = 20
"""Words to either side that can be chosen."""
BEYOND = -1e9
"""The logit of what lies beyond the text."""


class WordHead(MixtureHead):
    """A step of so many words along a text, from `REACH` back to as many on, by REINFORCE.

    A hidden layer reads the periphery, the present place and the features, and gives each step a logit; at first all
    are as likely. The places that are looked at lie around the middles of words.

    Raises:
        ValueError: where the action is no place along a line, or the observation does not show the present one.
    """

    step: Tensor

    def __init__(self, part: PartSpec, features: int, view: ViewSize, config: AgentConfig) -> None:
        super().__init__(part, features, view, config)
        if part.role != "place" or part.values != 1 or view.place != 1:
            raise ValueError(
                'saccades="words" chooses among the words of a text, and the action is no place along a line, or the '
                f"observation does not show the present one: got a {part.role!r} of {part.values} values"
            )
        inputs = view.periphery + view.place + (view.where or features)
        self.hidden = nn.Linear(inputs, config.where_stream or config.width)
        self.out = nn.Linear(self.hidden.out_features, 2 * REACH + 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)
        self.cell = 1.0  # a deviation is in words already
        self.register_buffer("step", torch.arange(-REACH, REACH + 1.0), persistent=False)

    def forward(self, features: Tensor, view: View) -> Tensor:
        """(B, F) to (B, 2 REACH + 1, 2): the logit of each step, and where it leads."""
        assert view.here is not None
        seen = [part for part in (view.periphery, view.here, gaze_features(features, view)) if part is not None]
        logits = self.out(torch.relu(self.hidden(torch.cat(seen, dim=1))))
        mean = view.here + view.unit * self.step
        logits = torch.where(mean.abs() < 1, logits, BEYOND)
        return torch.stack([logits, mean], dim=-1)
