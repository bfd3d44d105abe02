"""Sentences as vectors: what word order and padding change, and the map of attention."""

from __future__ import annotations

import pytest
import torch

from agents.encoders.sentence import Sentences, position_signs


def test_half_of_a_bag_knows_no_order_and_half_does() -> None:
    torch.manual_seed(0)
    first, swapped = Sentences(9, 5, 64, "bag")(torch.tensor([[3, 4, 5, 0, 0], [5, 4, 3, 0, 0]]))
    torch.testing.assert_close(first[:32], swapped[:32])
    assert torch.cosine_similarity(first[32:], swapped[32:], dim=0) < 0.7
    assert set(position_signs(5, 64)[:, 32:].unique().tolist()) == {-1.0, 1.0}


@pytest.mark.parametrize("encoder", ["bag", "attention"])
def test_a_sentence_is_its_words_in_order_and_padding_is_nothing(encoder: str) -> None:
    torch.manual_seed(0)
    sentences = Sentences(9, 5, 8, encoder).double()
    first, swapped = torch.tensor([[3, 4, 5, 0, 0]]), torch.tensor([[4, 3, 5, 0, 0]])
    assert not torch.allclose(sentences(first), sentences(swapped))
    with torch.no_grad():
        before = sentences(first)
        sentences.embedding.weight[7:] += 1.0  # words that do not occur
        torch.testing.assert_close(sentences(first), before)
    both = sentences(torch.stack([first, swapped]))
    torch.testing.assert_close(both[0], sentences(first))
    assert torch.isfinite(sentences(torch.zeros(2, 5, dtype=torch.int64))).all()


def test_the_map_of_attention_is_a_distribution_over_the_words() -> None:
    torch.manual_seed(0)
    sentences = Sentences(9, 5, 8, "attention")
    weights = sentences.attention(torch.tensor([[3, 4, 5, 0, 0]]))
    torch.testing.assert_close(weights.sum(-1), torch.ones(1, 5))
    assert not weights[..., 3:].any()
    with pytest.raises(ValueError, match="attention"):
        Sentences(9, 5, 8, "bag").attention(torch.tensor([[3, 4, 5, 0, 0]]))
    with pytest.raises(ValueError, match="encoder"):
        Sentences(9, 5, 8, "words")
