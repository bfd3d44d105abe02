"""The glimpse network: what is seen, joined with where."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

Join = Literal["product", "sum"]


class GlimpseNet(nn.Module):
    """A glimpse and its location to one vector.

    "sum" is the paper's (Mnih et al. 2014, section 3.1): glimpse and location each through a hidden layer of half the
    width, both linearly to the full width, added, ReLU. "product" multiplies what by where, as Larochelle & Hinton
    2010 and Ba et al. 2015 do: relu(W_g g) * (1 + W_l l).

    Args:
        glimpse: number of values in a glimpse.
        width: width of the result.
        join: "product" or "sum".
        hidden: units of a hidden layer for the location in a product; 0 is none.
    """

    def __init__(self, glimpse: int, width: int, join: Join, hidden: int = 0) -> None:
        super().__init__()
        self.join = join
        self.what: nn.Module
        self.where: nn.Module
        if join == "product":
            self.what = nn.Linear(glimpse, width)
            self.where = nn.Linear(2, width)
            if hidden:
                self.where = nn.Sequential(nn.Linear(2, hidden), nn.ReLU(), nn.Linear(hidden, width))
        elif join == "sum":
            self.what = nn.Sequential(nn.Linear(glimpse, width // 2), nn.ReLU(), nn.Linear(width // 2, width))
            self.where = nn.Sequential(nn.Linear(2, width // 2), nn.ReLU(), nn.Linear(width // 2, width))
        else:
            raise ValueError(f'join must be "product" or "sum", got {join!r}')

    def forward(self, glimpse: Tensor, location: Tensor) -> Tensor:
        """(N, glimpse) float in [0, 1] and (N, 2) locations to (N, width)."""
        if self.join == "product":
            return torch.relu(self.what(glimpse)) * (1 + self.where(location))
        return torch.relu(self.what(glimpse) + self.where(location))
