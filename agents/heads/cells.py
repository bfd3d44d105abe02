"""Where to look next, among the cells of an overview: a mixture of Gaussians, one around each cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from agents.heads.answer import draw_class
from agents.heads.base import Head, View, ViewSize
from agents.heads.place import standard_normal
from agents.spec import PartSpec

if TYPE_CHECKING:
    from agents.config import AgentConfig

CHANNELS = (8, 12, 16)
"""Of the convolutions over the overview."""
STRIDE = 4
"""Cells of the overview that one cell of the policy is wide."""
REACH = 1.5
"""How far a look inhibits the return to the cells around it, in cells."""
INHIBITION = 4.0
"""What a look takes from the logit of its own cell, before any training."""


class CellHead(Head):
    """A place in one of the cells of an overview, by REINFORCE.

    A Gaussian around one mean has one peak, and a street has many places worth a look. Here each cell k of a map that
    convolutions make of the overview has a probability p_k and a mean of its own, and a place is drawn with density
    sum_k p_k N(place; mean_k, deviation²): a cell by p, then a place around its mean. Cells that were looked at are
    less probable (inhibition of return: Itti, Koch & Niebur 1998, section 3).

    The map is made once an episode, by `survey`; the features, which say what was found so far, are added to it at each
    step. Deviations and offsets are in cells.

    Raises:
        ValueError: where the observation has no overview, or one too small, or the action is no place in a plane.
    """

    policy = True
    uses_view = True
    surveys = True
    acts_on_next = True
    noise_size = 4

    def __init__(self, part: PartSpec, features: int, view: ViewSize, config: AgentConfig) -> None:
        super().__init__(part, features, view, config)
        channels, *shape = view.overview or (0, 0, 0)
        rows, columns = (side // STRIDE for side in shape)
        if part.role != "place" or part.values != 2:
            raise ValueError(f'saccades="cells" chooses a place in a plane, and the action is a {part.role!r}')
        if min(rows, columns) < 1:
            raise ValueError(
                f'saccades="cells" chooses among the cells of an overview of at least {STRIDE}×{STRIDE}, and the '
                f"observation {f'has {shape[0]}×{shape[1]}' if view.overview else 'has none'}: set overview="
            )
        first, second, last = CHANNELS
        self.layers = nn.Sequential(
            nn.Conv2d(channels, first, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(first, second, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(second, last, 4, stride=2, padding=1),
            nn.Flatten(2),
        )
        self.found = nn.Linear(features, last)
        self.mix = nn.Linear(last, last)
        self.out = nn.Linear(last, 3)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)
        self.inhibition = nn.Parameter(torch.tensor(INHIBITION))
        # The middle of what a cell sees: two windows of four, each at a stride of two, begin one before the edge.
        y, x = (
            (torch.arange(count) * STRIDE + 2) / side * 2 - 1
            for count, side in zip((rows, columns), shape, strict=True)
        )
        self.register_buffer("centre", torch.cartesian_prod(y, x).flip(-1), persistent=False)
        self.register_buffer("cell", torch.tensor([2 * STRIDE / shape[1], 2 * STRIDE / shape[0]]), persistent=False)

    centre: Tensor
    cell: Tensor

    def survey(self, overview: Tensor) -> Tensor:
        """The map (B, K, channels) of an overview (B, C, h, w) in [0, 1]."""
        return self.layers(overview).mT

    def near(self, here: Tensor) -> Tensor:
        """(…, K) in [0, 1], how much a look at a place (…, 2) inhibits each cell."""
        distance = ((self.centre - here[..., None, :]) / (REACH * self.cell)).square().sum(-1)
        return torch.exp(-distance / 2)

    def forward(self, features: Tensor, view: View) -> Tensor:
        """(B, F) to (B, K, 3): the logit of each cell, and its mean (x, y)."""
        assert view.survey is not None
        found = self.found(features.detach())[:, None]
        out = self.out(torch.relu(self.mix(torch.relu(view.survey.cells + found))))
        logits = out[..., :1] - self.inhibition.relu() * view.survey.visited[..., None]
        return torch.cat([logits, self.centre + out[..., 1:].tanh() * self.cell], dim=-1)

    def mode(self, params: Tensor) -> Tensor:
        """(B, 2), the mean of the likeliest cell."""
        return self._mean_of(params, params[..., 0].argmax(-1))

    def noise(self, uniform: Tensor) -> Tensor:
        """(…, 3): a uniform number for the cell, and two standard normal ones."""
        return torch.cat([uniform[..., :1], standard_normal(uniform[..., 2:])], dim=-1)

    def draw(self, params: Tensor, noise: Tensor, deviation: Tensor | float) -> Tensor:
        """(B, 2), a place around the mean of a cell that is drawn."""
        mean = self._mean_of(params, draw_class(params[..., 0], noise[..., 0]))
        return mean + deviation * self.cell * noise[..., 1:]

    def log_prob(self, params: Tensor, action: Tensor, deviation: Tensor | float = 1.0) -> Tensor:
        """(…,) of places (…, 2), without the constant that no gradient depends on."""
        off = (action.detach()[..., None, :] - params[..., 1:]) / (deviation * self.cell)
        return torch.logsumexp(params[..., 0].log_softmax(-1) - off.square().sum(-1) / 2, dim=-1)

    def _mean_of(self, params: Tensor, cell: Tensor) -> Tensor:
        return params[..., 1:].gather(-2, cell[..., None, None].expand(*cell.shape, 1, 2)).squeeze(-2)
