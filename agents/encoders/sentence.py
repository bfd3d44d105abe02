"""Sentences as vectors: a bag of words with position encoding, or self-attention over the words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from agents.encoders.base import Encoder
from agents.spec import Observation, Parts

if TYPE_CHECKING:
    from agents.config import AgentConfig


def position_signs(words: int, width: int) -> Tensor:
    """(words, width), which multiplies the vector of a word at each position before the words are added.

    Half of it is 1: this half shows what lines have in common, at whatever position. The other half are random signs:
    this half shows who did what to whom (Gayler 1998, "Multiplicative binding"). With the smooth encoding of Sukhbaatar
    et al. 2015, section 4.1, positions differ little: bAbI's task 4 stays at 21 % of error, and falls to 0 here.
    """
    signs = torch.randint(0, 2, (words, width)) * 2.0 - 1
    signs[:, : width // 2] = 1
    return signs


SCALE = 0.3
"""Standard deviation of the initial word vectors. It is large beside a step of Adam, so that words stay apart while the
other layers learn to use them. At 0.09 the associations of bAbI's task 16 are not found."""


class Sentences(nn.Module):
    """Padded rows of word ids to vectors.

    "bag" adds the words' vectors, each multiplied by its position's (which starts as `position_signs` and is learned,
    as in Dehghani et al. 2019, appendix D.1). "attention" lets the words attend to each other first (one layer, Vaswani
    et al. 2017, section 3.2) and takes the mean; `attention` gives its map.

    Args:
        vocabulary: number of words; 0 is padding.
        words: of a row, at most.
        width: of the result.
        encoder: "bag" or "attention".
        heads: of "attention".

    Raises:
        ValueError: for another encoder.
    """

    tables_of_vectors = True  # its own parameters are no matrices: see `agents.training.muon`

    def __init__(self, vocabulary: int, words: int, width: int, encoder: str, heads: int = 4) -> None:
        super().__init__()
        if encoder not in ("bag", "attention"):
            raise ValueError(f'encoder must be "bag" or "attention", got {encoder!r}')
        self.embedding = nn.Embedding(vocabulary, width, padding_idx=0)
        nn.init.normal_(self.embedding.weight, std=SCALE)
        with torch.no_grad():
            self.embedding.weight[0].zero_()
        self.attend: nn.MultiheadAttention | None = None
        if encoder == "bag":
            self.position = nn.Parameter(position_signs(words, width))
        else:
            self.position = nn.Parameter(torch.randn(words, width) * width**-0.5)
            self.attend = nn.MultiheadAttention(width, heads, batch_first=True)

    def forward(self, tokens: Tensor) -> Tensor:
        """(…, words) int64 to (…, width); a row of padding is a vector of zeros where words are added."""
        if self.attend is None:
            return (self.embedding(tokens) * self.position[: tokens.shape[-1]]).sum(-2)
        rows = tokens.reshape(-1, tokens.shape[-1])
        seen, _ = self._attend(rows)
        present = (rows != 0)[..., None]
        mean = (seen * present).sum(1) / present.sum(1).clamp(min=1)
        return mean.reshape(*tokens.shape[:-1], mean.shape[1])

    def attention(self, tokens: Tensor) -> Tensor:
        """(N, words) int64 to (N, words, words): how much each word attended to each other, mean over heads.

        Raises:
            ValueError: where the words are only added.
        """
        if self.attend is None:
            raise ValueError('only encoder="attention" has a map of attention')
        return self._attend(tokens)[1]

    def _attend(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        assert self.attend is not None
        words = self.embedding(rows) + self.position[: rows.shape[-1]]
        padding = rows == 0
        padding[:, 0] = False  # a row of padding alone attends to its first position, and is then left out
        seen, weights = self.attend(words, words, words, key_padding_mask=padding, need_weights=True)
        return words + seen, weights


class SentenceEncoder(Encoder):
    """Lines of text of one vocabulary, each by itself; several lines share their words and are added."""

    def __init__(self, parts: Parts, config: AgentConfig) -> None:
        super().__init__(parts, config)
        vocabulary = max(part.sizes[0] for part in parts.values())
        words = max(part.shape[0] for part in parts.values())
        self.sentences = Sentences(vocabulary, words, config.width, config.encoder)

    def forward(self, observation: Observation) -> Tensor:
        """(B, width), of word ids (B, words) int64, padded with 0."""
        first, *rest = (self.sentences(observation[name]) for name in self.parts)
        for vector in rest:
            first = first + vector
        return first
