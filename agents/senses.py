"""What an observation becomes before it is remembered: one encoder for each kind of observation."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from agents.glimpse_net import GlimpseNet, Join
from agents.words import SCALE, Sentences
from memory.hop import BUCKETS, age_buckets

Encoder = Literal["bag", "attention"]


class GlimpseSense(nn.Module):
    """A glimpse of an image and where it was: `GlimpseNet` over an observation.

    Args:
        glimpse: shape of a glimpse, (scales, channels, height, width).
        width: of the result.
        join: how what and where meet.
        hidden: units of a hidden layer for the location.
    """

    def __init__(self, glimpse: tuple[int, ...], width: int, join: Join, hidden: int) -> None:
        super().__init__()
        self.net = GlimpseNet(math.prod(glimpse), width, join, hidden)

    def forward(self, observation: dict[str, Tensor]) -> Tensor:
        """(N, width), of `glimpse` (N, scales, channels, height, width) and `location` (N, 2)."""
        return self.net(observation["glimpse"].flatten(1), observation["location"])

    def periphery(self, observation: dict[str, Tensor]) -> Tensor:
        """(N, values), all that the gaze's own stream sees."""
        return observation["glimpse"].flatten(1)

    def unit(self, observation: dict[str, Tensor]) -> float:
        """What a saccade is measured in: the unit of a location."""
        return 1.0


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

    def learn(self, row: Tensor) -> None:
        """Count these values (N, values) in."""
        self.count += len(row)
        share = len(row) / self.count
        self.mean += share * (row.double().mean(0) - self.mean)
        self.square += share * (row.double().square().mean(0) - self.square)

    def forward(self, row: Tensor) -> Tensor:
        """(N, values) to the same, within 10 deviations; what never changes becomes 0."""
        deviation = (self.square - self.mean.square()).clamp(min=1e-8).sqrt()
        return ((row - self.mean.to(row.dtype)) / deviation.to(row.dtype)).clamp(-10, 10)


class PartsSense(nn.Module):
    """Whatever an environment shows, in one row: relu(W x) * (1 + f(x)), so that any part can gate any other.

    Args:
        values: in the row.
        width: of the result.
    """

    def __init__(self, values: int, width: int) -> None:
        super().__init__()
        self.standardise = Standardise(values)
        self.what = nn.Linear(values, width)
        self.gate = nn.Sequential(nn.Linear(values, width), nn.ReLU(), nn.Linear(width, width))

    def forward(self, observation: dict[str, Tensor]) -> Tensor:
        """(N, width), of `parts` (N, values)."""
        if self.training:
            self.standardise.learn(observation["parts"])
        row = self.standardise(observation["parts"])
        return torch.relu(self.what(row)) * (1 + self.gate(row))

    def periphery(self, observation: dict[str, Tensor]) -> Tensor:
        """(N, values), all that the gaze's own stream sees."""
        return self.standardise(observation["parts"])

    def unit(self, observation: dict[str, Tensor]) -> float:
        """A motion is not a place: its unit is its own."""
        return 1.0


class SentenceSense(nn.Module):
    """A line of text, by itself: the sum of its words, or self-attention over them.

    Args:
        vocabulary: number of words.
        words: of a line, padded.
        width: of the result.
        encoder: "bag" or "attention".
    """

    def __init__(self, vocabulary: int, words: int, width: int, encoder: Encoder) -> None:
        super().__init__()
        self.sentences = Sentences(vocabulary, words, width, encoder)

    def forward(self, observation: dict[str, Tensor]) -> Tensor:
        """(…, width), of `tokens` (…, words)."""
        return self.sentences(observation["tokens"])


class BitsSense(nn.Module):
    """Rows of bits, as they are: the memory's own interface, or the core, maps them.

    Args:
        bits: in a row.
    """

    def __init__(self, bits: int) -> None:
        super().__init__()
        self.bits = bits

    def forward(self, observation: dict[str, Tensor]) -> Tensor:
        """(…, bits)."""
        return observation["bits"]


class Hidden(nn.Module):
    """What all that see a hidden story can tell of a glimpse.

    Args:
        vocabulary: number of words.
        longest: lines of the longest story.
    """

    def __init__(self, vocabulary: int, longest: int) -> None:
        super().__init__()
        self.vocabulary, self.longest = vocabulary, longest

    def after(self, observation: dict[str, Tensor]) -> Tensor:
        """(N,) int64, how many lines follow the present one in the story."""
        lines = observation["lines"]
        return (lines * (1 - observation["location"]) / 2).floor().long().clamp(0, self.longest - 1)[..., 0]

    def periphery(self, observation: dict[str, Tensor]) -> Tensor:
        """(N, (scales + 2) vocabulary + 2): which words the question, the line and the lines around hold."""
        bags = [self.bag(observation[key]) for key in ("question", "tokens")]
        return torch.cat([observation["periphery"].flatten(1), *bags, *self.extent(observation)], dim=-1)

    def unit(self, observation: dict[str, Tensor]) -> Tensor:
        """(N, 1), one line in the unit of a location."""
        return 2 / observation["lines"]

    def extent(self, observation: dict[str, Tensor]) -> list[Tensor]:
        """The length of the story and the time, (N, 1) each, in [0, 1]."""
        return [observation["lines"] / self.longest, observation["time"]]

    def bag(self, tokens: Tensor) -> Tensor:
        """(…, vocabulary) float32, 1 where a word occurs in `tokens` (…, words); padding is none."""
        bag = torch.zeros(*tokens.shape[:-1], self.vocabulary, device=tokens.device)
        bag.scatter_(-1, tokens, 1.0)
        bag[..., 0] = 0.0
        return bag


class StorySense(Hidden):
    """A line of a hidden story, the question in view, the blurred words around, and how many lines follow.

    Args:
        vocabulary: number of words.
        words: of a line, padded.
        scales: of the periphery.
        longest: lines of the longest story.
        width: of the result.
        encoder: of line and question, which share their words.
    """

    bucket: Tensor

    def __init__(self, vocabulary: int, words: int, scales: int, longest: int, width: int, encoder: Encoder) -> None:
        super().__init__(vocabulary, longest)
        self.sentences = Sentences(vocabulary, words, width, encoder)
        self.around = nn.Linear(scales * vocabulary, width, bias=False)
        self.join = nn.Linear(3 * width + 3, width)
        self.register_buffer("bucket", age_buckets(longest), persistent=False)
        self.place = nn.Embedding(BUCKETS, width)
        nn.init.normal_(self.place.weight, std=SCALE)

    def forward(self, observation: dict[str, Tensor]) -> Tensor:
        """(N, width), of `tokens` and `question` (N, words), `periphery` (N, scales, vocabulary) and the place."""
        line, question = self.sentences(observation["tokens"]), self.sentences(observation["question"])
        around = self.around(observation["periphery"].flatten(1))
        joined = self.join(torch.cat([line, question, around, observation["location"], *self.extent(observation)], -1))
        return joined + self.place(self.bucket[self.after(observation)])
