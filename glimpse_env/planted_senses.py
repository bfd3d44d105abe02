"""Made-up sentences in which one word, at a known distance, tells what an ambiguous one means."""

from __future__ import annotations

import functools

import numpy as np

from glimpse_env.images import SPLITS
from glimpse_env.read_only import read_only_arrays
from glimpse_env.rng import draw_words, integers
from glimpse_env.senses import Senses
from glimpse_env.text import MARKS, Vocabulary

AMBIGUOUS, SENSES, CLUES, FILLERS = 8, 2, 10, 200
"""Ambiguous words, senses of each, words that tell each sense, and all other words."""

LENGTH = 33
"""Words of a sentence."""

SENTENCES = (40_000, 2_000, 2_000)
"""Of each split."""

SEED = 2**40
"""Of the sentences."""


@functools.lru_cache(maxsize=4)
def plant(distance: tuple[int, int]) -> Senses:
    """Sentences of fillers with an ambiguous word, and one clue to its sense (pseudo-words: Gale et al. 1992).

    Args:
        distance: the least and the greatest of the clue from the word, before or after it, up to half of `LENGTH`.
    """
    count = sum(SENTENCES)
    rows = np.arange(count)
    words = draw_words(np.full(count, SEED), rows, 6 + LENGTH)
    word, sense, clue = (integers(words[:, at], size) for at, size in ((0, AMBIGUOUS), (1, SENSES), (2, CLUES)))
    least, most = distance
    far = least + integers(words[:, 3], most - least + 1)
    place = integers(words[:, 4], LENGTH)
    side = np.where(words[:, 5] % 2 == 0, -far, far)
    there = np.where((place + side < 0) | (place + side >= LENGTH), place - side, place + side)
    clues = len(MARKS) + AMBIGUOUS
    tokens = clues + AMBIGUOUS * SENSES * CLUES + integers(words[:, 6:], FILLERS)
    tokens[rows, place] = len(MARKS) + word
    tokens[rows, there] = clues + (word * SENSES + sense) * CLUES + clue
    ambiguous = [f"word{number}" for number in range(AMBIGUOUS)]
    told = [f"clue{number}{'ab'[s]}{c}" for number in range(AMBIGUOUS) for s in range(SENSES) for c in range(CLUES)]
    senses = Senses(
        vocabulary=Vocabulary([*ambiguous, *told, *(f"filler{number}" for number in range(FILLERS))]),
        words=tuple(ambiguous),
        answers=tuple(f"{name}: {'ab'[s]}" for name in ambiguous for s in range(SENSES)),
        source="planted",
        tokens=tokens.astype(np.int32),
        length=np.full(count, LENGTH, np.int32),
        place=place.astype(np.int32),
        word=word.astype(np.int32),
        sense=(word * SENSES + sense).astype(np.int32),
        split=np.arange(len(SPLITS), dtype=np.int8).repeat(SENTENCES),
        clues=there[:, None].astype(np.int32),
        planted=True,
    )
    read_only_arrays(senses)
    return senses
