"""A glimpse of a hidden text by words: the fixated word, where it is, those around it, and other words beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from agents.encoders.base import Encoder, check_named
from agents.encoders.sentence import SCALE
from agents.spec import Observation, Parts

if TYPE_CHECKING:
    from agents.config import AgentConfig

PARTS = ("tokens", "around", "location", "distance", "count", "time")
"""What an observation of hidden words has, by name."""

REACH = 20
"""Distances beyond it are alike."""


class HiddenWordsEncoder(Encoder):
    """One table of word vectors, of half the width, for all of it.

    Of the fixated word w at distance d, v_w and v_w * p_d; of each scale around, the sum of the vectors over the root
    of their number; these, the other words that are shown (what is asked, say), the distance and the time go through a
    linear layer, a rectifier and another. The gaze sees the same, without gradient.

    Raises:
        ValueError: for an observation without one of `PARTS`.
    """

    def __init__(self, parts: Parts, config: AgentConfig) -> None:
        super().__init__(parts, config)
        check_named(parts, PARTS, "hidden words are")
        vocabulary, width, size = parts["tokens"].sizes[0], config.width, config.width // 2
        self.beside = [name for name, part in parts.items() if part.role == "tokens" and name != "tokens"]
        self.spans = [3]
        while sum(self.spans) < parts["around"].shape[0]:
            self.spans.append(3 * self.spans[-1])
        self.words = nn.Embedding(vocabulary, size, padding_idx=0)
        nn.init.normal_(self.words.weight, std=SCALE)
        with torch.no_grad():
            self.words.weight[0].zero_()
        self.place = nn.Embedding(2 * REACH + 1, size)
        nn.init.normal_(self.place.weight)
        self.drop = nn.Dropout(config.dropout)
        inputs = (2 + len(self.beside) + len(self.spans)) * size + 2
        self.layers = nn.Sequential(nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, width))
        self.periphery_size = inputs

    def seen(self, observation: Observation) -> Tensor:
        """(B, inputs) of the linear layer."""
        at = self.place((observation["distance"][..., 0].long().clamp(-REACH, REACH)) + REACH)
        word = self.words(observation["tokens"][..., 0])
        parts = [word, word * at, *(self.words(observation[name][..., 0]) for name in self.beside)]
        for ids in observation["around"].split(self.spans, -1):
            present = (ids > 0).sum(-1, keepdim=True).clamp(min=1)
            parts.append(self.words(ids).sum(-2) / present.sqrt())
        extent = [observation["distance"] / REACH, observation["time"]]
        return torch.cat([*parts, *extent], -1)

    def forward(self, observation: Observation) -> Tensor:
        """(B, width), of ids (B, 1) and (B, around), distances in words (B, 1) and the time (B, 1)."""
        return self.layers(self.drop(self.seen(observation)))

    def periphery(self, observation: Observation) -> Tensor:
        """(B, inputs), the same without gradient."""
        return self.seen(observation).detach()
