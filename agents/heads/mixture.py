"""A place among several candidates: a mixture of Gaussians, one around each."""

from __future__ import annotations

import torch
from torch import Tensor

from agents.heads.answer import draw_class
from agents.heads.base import Head
from agents.heads.place import standard_normal


class MixtureHead(Head):
    """A place, by REINFORCE, drawn with density sum_k p_k N(place; mean_k, deviation²): a candidate by p, then a place
    around its mean.

    A Gaussian around one mean has one peak, and a street or a text has many places worth a look. A subclass makes the
    parameters (B, K, 1 + D) of K candidates: the logit of each, and its mean.

    Attributes:
        cell: width of a candidate, (D,), which a deviation is in; 1 where it is in the unit of places already.
    """

    policy = True
    uses_view = True
    acts_on_next = True
    noise_size = 4
    cell: Tensor | float

    def mode(self, params: Tensor) -> Tensor:
        """(B, D), the mean of the likeliest candidate."""
        return self._mean_of(params, params[..., 0].argmax(-1))

    def noise(self, uniform: Tensor) -> Tensor:
        """(…, 1 + D): a uniform number for the candidate, and standard normal ones."""
        return torch.cat([uniform[..., :1], standard_normal(uniform[..., 2:])[..., : self.part.values]], dim=-1)

    def around(self, action: Tensor) -> Tensor:
        """A single candidate, with this mean."""
        return torch.cat([torch.zeros_like(action[..., :1]), action], dim=-1)[..., None, :]

    def draw(self, params: Tensor, noise: Tensor, deviation: Tensor | float) -> Tensor:
        """(B, D), a place around the mean of a candidate that is drawn."""
        mean = self._mean_of(params, draw_class(params[..., 0], noise[..., 0]))
        return mean + deviation * self.cell * noise[..., 1:]

    def log_prob(self, params: Tensor, action: Tensor, deviation: Tensor | float = 1.0) -> Tensor:
        """(…,) of places (…, D), without the constant that no gradient depends on."""
        width = deviation * self.cell
        width = width[..., None, :] if isinstance(width, Tensor) and width.ndim > 1 else width
        off = (action.detach()[..., None, :] - params[..., 1:]) / width
        return torch.logsumexp(params[..., 0].log_softmax(-1) - off.square().sum(-1) / 2, dim=-1)

    def _mean_of(self, params: Tensor, candidate: Tensor) -> Tensor:
        size = self.part.values
        return params[..., 1:].gather(-2, candidate[..., None, None].expand(*candidate.shape, 1, size)).squeeze(-2)
