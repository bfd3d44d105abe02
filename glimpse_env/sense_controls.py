"""Rules that tell the sense of a word without learning to look: what any agent has to be better than."""

from __future__ import annotations

import numpy as np

from glimpse_env.images import SPLITS, Split
from glimpse_env.senses import Senses

TRAIN = SPLITS.index("train")


def most_frequent(senses: Senses, split: Split) -> float:
    """Percent wrong of who names the sense that each word has most often in the training sentences."""
    table = np.zeros((len(senses.words), len(senses.answers)))
    known = (senses.split == TRAIN) & (senses.sense >= 0)
    np.add.at(table, (senses.word[known], senses.sense[known]), 1)
    asked = senses.split == SPLITS.index(split)
    return 100 * float((table.argmax(1)[senses.word[asked]] != senses.sense[asked]).mean())


def neighbours(senses: Senses, split: Split, reach: int = 1) -> float:
    """Percent wrong of who reads the words within `reach` to either side, each at its place: naive Bayes.

    p(sense) times p(word | sense) of each neighbour, with half an occurrence added to each word.
    """
    rows = np.arange(len(senses.tokens))
    known, asked = (senses.split == TRAIN) & (senses.sense >= 0), senses.split == SPLITS.index(split)
    words, classes = len(senses.vocabulary), len(senses.answers)
    count = np.bincount(senses.sense[known], minlength=classes)
    mine = np.zeros((len(senses.words), classes), bool)
    mine[senses.word[known], senses.sense[known]] = True
    score = np.where(mine[senses.word], np.log(np.maximum(count, 1)), -np.inf)
    for step in (step for step in range(-reach, reach + 1) if step):
        place = senses.place + step
        inside = (place >= 0) & (place < senses.tokens.shape[1])
        token = np.where(inside, senses.tokens[rows, np.where(inside, place, 0)], 0)
        seen = np.full((classes, words), 0.5)
        np.add.at(seen, (senses.sense[known], token[known]), 1)
        score += (np.log(seen) - np.log(seen.sum(1, keepdims=True)))[:, token].T
    return 100 * float((score.argmax(1) != senses.sense)[asked].mean())
