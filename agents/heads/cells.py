"""Where to look next, among the cells of an overview: a mixture of Gaussians, one around each cell."""

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

WIDER = (1, 1.5, 2)
"""Channels of the convolutions over the overview, and over the patches of a glimpse, as multiples of the first's."""
DEPTH = 2
"""More of them, over the map, so that a cell is judged by what lies around it."""
STRIDE = 4
"""Cells of the overview, or of a patch, that one cell of a map is wide."""
REACH = 1.5
"""How far a look inhibits the return to the cells around it, in cells."""
INHIBITION = 8.0
"""What a look takes from the logit of its own cell."""
CORRECTION = -4.0
"""The logit of a patch's cell, before any training."""


class CellHead(MixtureHead):
    """A place in one of the cells of an overview or of the present glimpse, by REINFORCE.

    Each cell of a map that convolutions make of the overview has a probability and a mean of its own. The overview's
    cells that were looked at are less probable (inhibition of return: Itti, Koch & Niebur 1998, section 3).

    An overview is coarse, and what it finds is not met exactly. So the patches of the glimpse have cells too, which are
    not inhibited: by these a look that came near is corrected, and stays. The same convolutions read the patches of all
    scales.

    The overview's map is made once an episode, by `survey`; the features, which say what was found so far, are added to
    all cells at each step. Deviations are in cells of the overview's map, and a mean is at most one cell from the
    middle of its own.

    Raises:
        ValueError: where the observation has no overview, or one too small, or the action is no place in a plane.
    """

    surveys = True

    def __init__(self, part: PartSpec, features: int, view: ViewSize, config: AgentConfig) -> None:
        super().__init__(part, features, view, config)
        channels, *shape = view.overview or (0, 0, 0)
        if part.role != "place" or part.values != 2:
            raise ValueError(
                f'saccades="cells" chooses a place in a plane, and the action is a {part.role!r} of {part.values}'
            )
        if min(shape) < STRIDE:
            raise ValueError(
                f'saccades="cells" chooses among the cells of an overview of at least {STRIDE}×{STRIDE}, and the '
                f"observation {f'has {shape[0]}×{shape[1]}' if view.overview else 'has none'}: set overview="
            )
        last = widths(config.cell_channels)[-1]
        self.layers = convolutions(channels, config.cell_channels)
        self.found = nn.Linear(view.where or features, last)
        self.mix = nn.Linear(last, last)
        self.out = nn.Linear(last, 3)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)
        cell = torch.tensor([2 * STRIDE / shape[1], 2 * STRIDE / shape[0]])
        centre = middles(*shape) * cell - 1
        self.patches = None
        if view.cell and min(view.glimpse[2:]) >= STRIDE:
            scales, channels, *patch = view.glimpse
            self.patches = convolutions(channels, config.cell_channels)
            self.scale = nn.Parameter(torch.zeros(scales, 1, last))
            self.correction = nn.Parameter(torch.tensor(CORRECTION))
            width = STRIDE * torch.tensor(view.cell) * 2 ** torch.arange(scales)[:, None, None]
            shift = (middles(*patch) - torch.tensor(patch[::-1]) / (2 * STRIDE)) * width
            self.register_buffer("shift", shift.flatten(0, 1), persistent=False)
            self.register_buffer("width", width.expand_as(shift).flatten(0, 1), persistent=False)
        self.register_buffer("centre", centre, persistent=False)
        self.register_buffer("cell", cell, persistent=False)

    centre: Tensor
    cell: Tensor
    shift: Tensor
    width: Tensor

    def survey(self, overview: Tensor) -> Tensor:
        """The map (B, K, channels) of an overview (B, C, h, w) in [0, 1]."""
        return self.layers(overview).mT

    def near(self, here: Tensor) -> Tensor:
        """(…, K) in [0, 1], how much a look at a place (…, 2) inhibits each of the overview's cells."""
        distance = ((self.centre - here[..., None, :]) / (REACH * self.cell)).square().sum(-1)
        return torch.exp(-distance / 2)

    def forward(self, features: Tensor, view: View) -> Tensor:
        """(B, F) to (B, K, 3): the logit of each cell, and its mean (x, y)."""
        assert view.survey is not None
        cells, middle, reach = view.survey.cells, self.centre, self.cell
        bias = -INHIBITION * view.survey.visited
        if self.patches is not None:
            assert view.glimpse is not None
            assert view.here is not None
            seen = self.patches(view.glimpse.flatten(0, 1)).mT.unflatten(0, view.glimpse.shape[:2]) + self.scale
            cells = torch.cat([cells, seen.flatten(1, 2)], dim=1)
            middle = torch.cat([middle.expand(len(cells), -1, 2), view.here[:, None] + self.shift], dim=1)
            reach = torch.cat([reach.expand(len(self.centre), 2), self.width])
            bias = torch.cat([bias, self.correction.expand(len(cells), len(self.shift))], dim=1)
        found = self.found(gaze_features(features, view))[:, None]
        out = self.out(torch.relu(self.mix(torch.relu(cells + found))))
        return torch.cat([(out[..., 0] + bias)[..., None], middle + out[..., 1:].tanh() * reach], dim=-1)


def widths(first: int) -> tuple[int, int, int]:
    """Channels of the three widths of convolutions, of which the first has so many."""
    first, second, last = (round(first * times) for times in WIDER)
    return first, second, last


def convolutions(inputs: int, channels: int) -> nn.Sequential:
    """(B, inputs, h, w) to (B, 2 channels, h w / 16), one cell for `STRIDE`×`STRIDE`; `channels` of the first."""
    first, second, last = widths(channels)
    return nn.Sequential(
        nn.InstanceNorm2d(inputs),  # by day and by night
        nn.Conv2d(inputs, first, 4, stride=2, padding=1),
        nn.GroupNorm(1, first),
        nn.ReLU(),
        nn.Conv2d(first, second, 3, padding=1),
        nn.GroupNorm(1, second),
        nn.ReLU(),
        nn.Conv2d(second, last, 4, stride=2, padding=1),
        nn.GroupNorm(1, last),
        *(
            layer
            for _ in range(DEPTH)
            for layer in (nn.ReLU(), nn.Conv2d(last, last, 3, padding=1), nn.GroupNorm(1, last))
        ),
        nn.Flatten(2),
    )


def middles(height: int, width: int) -> Tensor:
    """(K, 2) the middles (x, y) of the cells that `convolutions` makes of these, in cells."""
    y, x = (torch.arange(side // STRIDE) + 0.5 for side in (height, width))
    return torch.cartesian_prod(y, x).flip(-1)
