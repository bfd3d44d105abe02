"""A glimpse of a hidden text: the line in full, the blurred words around, the question in view, and where this is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from agents.encoders.base import Encoder, check_named
from agents.encoders.sentence import SCALE, Sentences
from agents.spec import Observation, Parts
from memory.attention_block import BUCKETS, age_buckets

if TYPE_CHECKING:
    from agents.config import AgentConfig

PARTS = ("question", "tokens", "periphery", "location", "lines", "time")
"""What an observation of a hidden text has, by name."""


class HiddenText(Encoder):
    """What any encoder of a hidden text needs to know of a glimpse.

    Raises:
        ValueError: for an observation without one of `PARTS`.
    """

    def __init__(self, parts: Parts, config: AgentConfig) -> None:
        super().__init__(parts, config)
        check_named(parts, PARTS, "a hidden text is")
        self.scales, self.vocabulary = parts["periphery"].shape
        self.words, (self.longest,) = parts["tokens"].shape[0], parts["lines"].sizes
        self.periphery_size = (self.scales + 2) * self.vocabulary + 2

    def lines_after(self, observation: Observation) -> Tensor:
        """(B,) int64, how many lines follow the present one in the text."""
        lines = observation["lines"]
        return (lines * (1 - observation["location"]) / 2).floor().long().clamp(0, self.longest - 1)[..., 0]

    def periphery(self, observation: Observation) -> Tensor:
        """(B, (scales + 2) vocabulary + 2): which words the question, the line and the lines around hold."""
        bags = [self.bag(observation[key]) for key in ("question", "tokens")]
        return torch.cat([observation["periphery"].flatten(1), *bags, *self.extent(observation)], dim=-1)

    def extent(self, observation: Observation) -> list[Tensor]:
        """The length of the text and the time, (B, 1) each, in [0, 1]."""
        return [observation["lines"] / self.longest, observation["time"]]

    def bag(self, tokens: Tensor) -> Tensor:
        """(…, vocabulary) float32, 1 where a word occurs in `tokens` (…, words); padding is none."""
        bag = torch.zeros(*tokens.shape[:-1], self.vocabulary, device=tokens.device)
        bag.scatter_(-1, tokens, 1.0)
        bag[..., 0] = 0.0
        return bag


class HiddenTextEncoder(HiddenText):
    """Line, question, blurred words, place and extent in one vector, by a linear map."""

    bucket: Tensor

    def __init__(self, parts: Parts, config: AgentConfig) -> None:
        super().__init__(parts, config)
        width = config.width
        self.sentences = Sentences(self.vocabulary, self.words, width, config.encoder)
        self.around = nn.Linear(self.scales * self.vocabulary, width, bias=False)
        self.join = nn.Linear(3 * width + 3, width)
        self.register_buffer("bucket", age_buckets(self.longest), persistent=False)
        self.place = nn.Embedding(BUCKETS, width)
        nn.init.normal_(self.place.weight, std=SCALE)

    def forward(self, observation: Observation) -> Tensor:
        """(B, width), of `tokens` and `question` (B, words), `periphery` (B, scales, vocabulary) and the place."""
        line, question = self.sentences(observation["tokens"]), self.sentences(observation["question"])
        around = self.around(observation["periphery"].flatten(1))
        joined = self.join(torch.cat([line, question, around, observation["location"], *self.extent(observation)], -1))
        return joined + self.place(self.bucket[self.lines_after(observation)])
