"""Sentences as vectors: a bag of words with position encoding, or self-attention over the words."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def place_signs(words: int, width: int) -> Tensor:
    """(words, width): what the vector of a word at each place is multiplied by before the words are added.

    Half of it is 1, so that what lines share can be told whatever its place; half of it are signs drawn for the place,
    so that who did what to whom can be told (Gayler 1998, "Multiplicative binding"). With the smooth encoding of
    Sukhbaatar et al. 2015, section 4.1, places differ little: bAbI's task 4 then stays at 21 % of error, and here it
    falls to 0.
    """
    signs = torch.randint(0, 2, (words, width)) * 2.0 - 1
    signs[:, : width // 2] = 1
    return signs


SCALE = 0.3
"""Standard deviation of the words at first: large beside a step of Adam, so that words stay apart while all else learns
what to do with them. At 0.09 the associations of bAbI's task 16 are not found."""


class Sentences(nn.Module):
    """Padded rows of word ids to vectors.

    "bag" adds the words' vectors, each multiplied by its place's (which starts as `place_signs` and is learned, as in
    Dehghani et al. 2019, appendix D.1). "attention" lets the words look at each other first (one layer, Vaswani
    et al. 2017, section 3.2) and takes the mean; `attention` gives its map, to be watched.

    Args:
        vocabulary: number of words; 0 is padding.
        words: of a row.
        width: of the result.
        encoder: "bag" or "attention".
        heads: of "attention".

    Raises:
        ValueError: for another encoder.
    """

    def __init__(self, vocabulary: int, words: int, width: int, encoder: str, heads: int = 4) -> None:
        super().__init__()
        if encoder not in ("bag", "attention"):
            raise ValueError(f'encoder must be "bag" or "attention", got {encoder!r}')
        self.embedding = nn.Embedding(vocabulary, width, padding_idx=0)
        nn.init.normal_(self.embedding.weight, std=SCALE)
        with torch.no_grad():
            self.embedding.weight[0].zero_()
        self.look: nn.MultiheadAttention | None = None
        if encoder == "bag":
            self.position = nn.Parameter(place_signs(words, width))
        else:
            self.position = nn.Parameter(torch.randn(words, width) * width**-0.5)
            self.look = nn.MultiheadAttention(width, heads, batch_first=True)

    def forward(self, tokens: Tensor) -> Tensor:
        """(…, words) int64 to (…, width); a row of padding is a vector of zeros where words are added."""
        if self.look is None:
            return (self.embedding(tokens) * self.position).sum(-2)
        rows = tokens.reshape(-1, tokens.shape[-1])
        seen, _ = self._attend(rows)
        here = (rows != 0)[..., None]
        mean = (seen * here).sum(1) / here.sum(1).clamp(min=1)
        return mean.reshape(*tokens.shape[:-1], mean.shape[1])

    def attention(self, tokens: Tensor) -> Tensor:
        """(N, words) int64 to (N, words, words): how much each word looked at each other, mean over heads.

        Raises:
            ValueError: where the words are only added.
        """
        if self.look is None:
            raise ValueError('only encoder="attention" has a map of attention')
        return self._attend(tokens)[1]

    def _attend(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        assert self.look is not None
        words = self.embedding(rows) + self.position
        padding = rows == 0
        padding[:, 0] = False  # a row of padding alone looks at its first place, and is then left out
        seen, weights = self.look(words, words, words, key_padding_mask=padding, need_weights=True)
        return words + seen, weights
