"""Answers: one of several classes, several of them at once, bits, or the logits themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Categorical
from torch.nn import functional as F

from agents.heads.base import AnswerHead, View, ViewSize
from agents.spec import PartSpec

if TYPE_CHECKING:
    from agents.config import AgentConfig


def class_log_prob(logits: Tensor, index: Tensor) -> Tensor:
    """log p(index): logits (…, K) and int64 classes (…), of which -1 counts as 0, to (…)."""
    losses = F.cross_entropy(logits.reshape(-1, logits.shape[-1]), index.clamp(min=0).reshape(-1), reduction="none")
    return -losses.reshape(index.shape)


def draw_class(logits: Tensor, uniform: Tensor) -> Tensor:
    """(…) int64 drawn in proportion to softmax(logits) (…, K), by uniform numbers (…) in [0, 1)."""
    edges = logits.softmax(-1).cumsum(-1)
    return (edges <= uniform[..., None] * edges[..., -1:]).sum(-1).clamp(max=logits.shape[-1] - 1)


class ClassHead(AnswerHead):
    """One of K classes ("class"), or of several sets of classes one each ("classes")."""

    def __init__(self, part: PartSpec, features: int, view: ViewSize, config: AgentConfig) -> None:
        super().__init__(part, features, view, config)
        self.several = part.role == "classes"
        self.sizes, self.parts = part.sizes, len(part.sizes)
        self.noise_size = self.parts
        self.target_size = sum(part.sizes)
        self.linear = nn.Linear(features, sum(part.sizes))

    def forward(self, features: Tensor, view: View) -> Tensor:
        """(B, F) to the logits (B, K), those of several sets side by side."""
        return self.linear(features)

    def mode(self, params: Tensor) -> Tensor:
        """(…) int64, or (…, parts)."""
        return self._joined([logits.argmax(-1) for logits in self._split(params)])

    def draw(self, params: Tensor, noise: Tensor, deviation: Tensor | float) -> Tensor:
        """As `mode`, drawn."""
        return self._joined([draw_class(v, u) for v, u in zip(self._split(params), noise.unbind(-1), strict=True)])

    def log_prob(self, params: Tensor, action: Tensor, deviation: Tensor | float = 1.0) -> Tensor:
        """(…,), of all sets together."""
        if not self.several:
            return class_log_prob(params, action)
        each = [class_log_prob(v, a) for v, a in zip(self._split(params), action.unbind(-1), strict=True)]
        return torch.stack(each).sum(0)

    def entropy(self, params: Tensor) -> Tensor:
        """(…,), of all sets together."""
        each = [Categorical(logits=v, validate_args=False).entropy() for v in self._split(params)]  # a check would wait
        return torch.stack(each).sum(0)

    def hits(self, action: Tensor, target: Tensor) -> Tensor:
        """(…, parts) bool."""
        right = action == target
        return right if self.several else right[..., None]

    def target_features(self, target: Tensor) -> Tensor:
        """(B, sum of the sizes) float32, one-hot."""
        targets = target.clamp(min=0).unbind(-1) if self.several else (target.clamp(min=0),)
        return torch.cat([F.one_hot(t, n) for t, n in zip(targets, self.sizes, strict=True)], -1).to(torch.float32)

    def _split(self, params: Tensor) -> tuple[Tensor, ...]:
        return params.split(self.sizes, -1) if self.several else (params,)

    def _joined(self, values: list[Tensor]) -> Tensor:
        return torch.stack(values, -1) if self.several else values[0]


class StopHead(ClassHead):
    """Whether to end the episode, 0 or 1, by REINFORCE; nothing flows back into the features.

    At first an episode goes on with a probability of 0.9 at each step.
    """

    policy = True

    def __init__(self, part: PartSpec, features: int, view: ViewSize, config: AgentConfig) -> None:
        super().__init__(part._replace(sizes=(2,)), features, view, config)
        nn.init.zeros_(self.linear.weight)
        with torch.no_grad():
            self.linear.bias.copy_(torch.tensor([0.9, 0.1]).log())

    def forward(self, features: Tensor, view: View) -> Tensor:
        """(B, F) to logits (B, 2)."""
        return self.linear(features.detach())


class LogitsHead(ClassHead):
    """An environment that takes the logits of an answer themselves; the target is a class."""

    def __init__(self, part: PartSpec, features: int, view: ViewSize, config: AgentConfig) -> None:
        super().__init__(part._replace(sizes=(part.values,)), features, view, config)

    def mode(self, params: Tensor) -> Tensor:
        """The logits."""
        return params

    def draw(self, params: Tensor, noise: Tensor, deviation: Tensor | float) -> Tensor:
        """Nothing is drawn: logits are learned from a target.

        Raises:
            ValueError: always.
        """
        raise ValueError("logits are learned from the right class: the environment must tell it as info['target']")

    def hits(self, action: Tensor, target: Tensor) -> Tensor:
        """(…, 1) bool, of logits (…, K) and classes (…)."""
        return (action.argmax(-1) == target)[..., None]


class BitsHead(AnswerHead):
    """A row of bits, each by itself."""

    def __init__(self, part: PartSpec, features: int, view: ViewSize, config: AgentConfig) -> None:
        super().__init__(part, features, view, config)
        self.parts = self.noise_size = self.target_size = part.values
        self.linear = nn.Linear(features, part.values)

    def forward(self, features: Tensor, view: View) -> Tensor:
        """(B, F) to the logits of 1, (B, bits)."""
        return self.linear(features)

    def mode(self, params: Tensor) -> Tensor:
        """(…, bits) int64, 0 or 1."""
        return (params > 0).to(torch.int64)

    def draw(self, params: Tensor, noise: Tensor, deviation: Tensor | float) -> Tensor:
        """As `mode`, drawn."""
        return (noise < torch.sigmoid(params)).to(torch.int64)

    def log_prob(self, params: Tensor, action: Tensor, deviation: Tensor | float = 1.0) -> Tensor:
        """(…,), of all bits together."""
        return -F.binary_cross_entropy_with_logits(params, action.to(params.dtype), reduction="none").sum(-1)

    def entropy(self, params: Tensor) -> Tensor:
        """(…,), of all bits together."""
        return Bernoulli(logits=params, validate_args=False).entropy().sum(-1)

    def hits(self, action: Tensor, target: Tensor) -> Tensor:
        """(…, bits) bool."""
        return action == target

    def target_features(self, target: Tensor) -> Tensor:
        """(B, bits) float32."""
        return target.to(torch.float32)
