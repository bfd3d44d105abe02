"""Made-up sentences in which one word, at a known distance, tells what an ambiguous one means."""

from __future__ import annotations

from glimpse_env.backend import Backend
from glimpse_env.rng import Array, draw_words, integers
from glimpse_env.tasks.hidden_words import Texts
from glimpse_env.text import MARKS, Vocabulary

AMBIGUOUS, SENSES, CLUES, FILLERS = 8, 2, 10, 200
"""Ambiguous words, senses of each, words that tell each sense, and all other words."""

LENGTH = 41
"""Words of a sentence."""


def planted_vocabulary() -> Vocabulary:
    """The words: `word3`, `clue3a0` to `clue3b9` of its two senses, `filler0` …"""
    words = [f"word{number}" for number in range(AMBIGUOUS)]
    clues = [f"clue{number}{'ab'[s]}{c}" for number in range(AMBIGUOUS) for s in range(SENSES) for c in range(CLUES)]
    return Vocabulary([*words, *clues, *(f"filler{number}" for number in range(FILLERS))])


def planted_answers() -> tuple[str, ...]:
    """The senses of all ambiguous words."""
    return tuple(f"word{number}: {'ab'[sense]}" for number in range(AMBIGUOUS) for sense in range(SENSES))


def planted_texts(seeds: Array, episodes: Array, distance: tuple[int, int], backend: Backend) -> Texts:
    """Sentences of fillers with an ambiguous word, and one clue to its sense: pseudo-words (Gale, Church & Yarowsky 1992).

    Args:
        seeds, episodes: (N,) int64.
        distance: least and greatest of the clue from the word, before or after it.
        backend: of the arrays.
    """
    xp, rows = backend.xp, backend.rows(seeds.shape[0])
    words = draw_words(seeds, episodes, 6 + LENGTH)
    word, sense, clue = (integers(words[:, at], size) for at, size in ((0, AMBIGUOUS), (1, SENSES), (2, CLUES)))
    least, most = distance
    far = least + integers(words[:, 3], most - least + 1)
    place = integers(words[:, 4], LENGTH)
    side = xp.where(integers(words[:, 5], 2) == 0, -far, far)
    there = place + side
    there = xp.where((there < 0) | (there >= LENGTH), place - side, there)
    first = len(MARKS)
    tokens = first + AMBIGUOUS * (1 + SENSES * CLUES) + integers(words[:, 6:], FILLERS)
    tokens[rows, place] = first + word
    tokens[rows, there] = first + AMBIGUOUS + (word * SENSES + sense) * CLUES + clue
    count = xp.full_like(place, LENGTH)
    return Texts(tokens, count, place, first + word, word * SENSES + sense, there[:, None], word)
