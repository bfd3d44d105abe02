"""Which words of a sentence tell the sense of its ambiguous word, by what the training sentences say."""

from __future__ import annotations

import numpy as np

SMOOTHING = 0.5
"""Occurrences that are added to those of each word."""


def telling_words(
    tokens: np.ndarray, place: np.ndarray, word: np.ndarray, sense: np.ndarray, train: np.ndarray, count: int
) -> np.ndarray:
    """The words of each sentence that speak most for its sense and against the others of the same word.

    By log p(word | sense) - log p(word | another sense), the ratio of naive Bayes. Another sentence of the sense has to
    have the word: a training sentence does not count itself, or its rare words would tell its sense.

    Args:
        tokens: (S, L) int32, padded with 0.
        place: (S,) the ambiguous word in each, which is none of them.
        word: (S,) its number.
        sense: (S,) the class, -1 where it is not known.
        train: (S,) bool, the training sentences.
        count: words to name.

    Returns:
        (S, count) int32 places, the most telling first, each word once; -1 where fewer speak for the sense.
    """
    unknown, train, sense = sense < 0, train & (sense >= 0), sense.clip(min=0)
    classes, size = int(sense.max()) + 1, int(tokens.max()) + 1
    again = repeated(tokens)
    told = train[:, None] & ~again
    mine, others = np.zeros((classes, size), np.float32), np.zeros((int(word.max()) + 1, size), np.float32)
    for table, number in ((mine, sense), (others, word)):
        np.add.at(table, (np.broadcast_to(number[:, None], tokens.shape)[told], tokens[told]), 1)
    own = np.bincount(sense[train], minlength=classes).astype(np.float32)
    all_ = np.bincount(word[train], minlength=len(others)).astype(np.float32)
    itself = train.astype(np.float32)[:, None]
    with_sense = np.maximum(mine[sense[:, None], tokens] - itself, 0)
    without = np.maximum(others[word[:, None], tokens] - itself - with_sense, 0)
    share = (with_sense + SMOOTHING) / (own[sense][:, None] - itself + 2 * SMOOTHING)
    other_share = (without + SMOOTHING) / (np.maximum(all_[word] - own[sense], 0)[:, None] + 2 * SMOOTHING)
    score = np.log(share) - np.log(other_share)
    hidden = (
        again | (with_sense < 1) | (tokens == 0) | (np.arange(tokens.shape[1]) == place[:, None]) | unknown[:, None]
    )
    score = np.where(hidden, -np.inf, score)
    best = np.argsort(-score, axis=1, kind="stable")[:, :count]
    return np.where(np.take_along_axis(score, best, axis=1) > 0, best, -1).astype(np.int32)


def repeated(tokens: np.ndarray) -> np.ndarray:
    """(S, L) bool, which words of each row (S, L) stand earlier in it."""
    order = np.argsort(tokens, axis=1, kind="stable")
    ordered = np.take_along_axis(tokens, order, axis=1)
    same = np.zeros(tokens.shape, bool)
    same[:, 1:] = ordered[:, 1:] == ordered[:, :-1]
    again = np.zeros_like(same)
    np.put_along_axis(again, order, same, axis=1)
    return again
