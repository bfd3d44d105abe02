"""Other names for the people, places and things of a bAbI story: variety for training.

In the worlds of bAbI names of a kind are interchangeable: a story in which every John is called Mary, and every Mary
John, is as good a story, if its question and answer change with it. North and south may be exchanged too (the map in
a mirror). Names that mean something in a world (the kitchen where the hungry go, the chocolate that fits into any box)
are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np

from glimpse_env.backend import Backend
from glimpse_env.rng import Array, draw_words
from glimpse_env.text import Vocabulary

NAMES_STREAM = 3
"""The random stream of the names; 0 chooses the question, 1 the first fixated line."""

INSIDE = "bathroom bedroom garden hallway kitchen office"
ABOUT = "bedroom cinema kitchen office park school"
THINGS = "apple football milk"
FOUR = "daniel john mary sandra"

INTERCHANGEABLE: tuple[tuple[tuple[int, ...], str], ...] = (
    ((1, 2, 3, 6, 7, 8, 9, 12, 13), FOUR),
    ((11,), "daniel john"),  # apart, because of he and she
    ((11,), "mary sandra"),
    ((5,), "bill fred jeff mary"),
    ((10, 14), "bill fred julie mary"),
    ((15,), "gertrude winona jessica emily"),
    ((16,), "lily bernhard greg julius brian"),
    ((20,), "antoine jason sumit yann"),
    ((1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 19), INSIDE),
    ((10, 14), ABOUT),
    ((2, 3, 5, 6, 7, 8), THINGS),
    ((15,), "mouse/mice wolf/wolves cat/cats"),
    ((16,), "swan lion frog rhino"),
    ((16,), "gray white yellow green"),
    ((17,), "red blue pink yellow"),
    ((17,), "square rectangle triangle sphere"),
    ((17,), "left right"),
    ((17,), "above below"),
    ((4, 19), "north/n south/s"),
    ((4, 19), "east/e west/w"),
)
"""The tasks, and names that are interchangeable in them; the forms of one name are parted by a stroke."""


class Renaming:
    """Draws new names for stories, and maps words and answers to them.

    Args:
        vocabulary: of the stories.
        answers: of the questions: words, or several with commas between.
        backend: of the arrays.
    """

    def __init__(self, vocabulary: Vocabulary, answers: Sequence[str], backend: Backend) -> None:
        self.backend = backend
        symbols = {word: number for number, word in enumerate(vocabulary.words)}
        parts = [answer.split(",") for answer in answers]
        for part in chain.from_iterable(parts):
            symbols.setdefault(part, len(symbols))
        self.size = len(symbols)
        spelled = np.zeros((len(parts), max(map(len, parts))), np.int64)
        for row, words in enumerate(parts):
            spelled[row, : len(words)] = [symbols[word] for word in words]
        self.groups: list[tuple[tuple[int, ...], list[Array]]] = []
        for tasks, text in INTERCHANGEABLE:
            names = [name.split("/") for name in text.split() if all(form in symbols for form in name.split("/"))]
            if len(names) > 1:
                forms = zip(*names, strict=True)
                self.groups.append((tasks, [backend.asarray(np.array([symbols[f] for f in form])) for form in forms]))
        digits = np.array([self.size**place for place in range(spelled.shape[1])], np.int64)
        keys = spelled @ digits
        order = np.argsort(keys)
        self.spelled, self.digits = backend.asarray(spelled), backend.asarray(digits)
        self.keys, self.by_key = backend.asarray(keys[order]), backend.asarray(order)

    def draw(self, seeds: Array, episodes: Array, tasks: Array, answers: Array) -> tuple[Array, Array]:
        """New names for the stories of these episodes.

        Args:
            seeds: (N,) int64.
            episodes: (N,) int64.
            tasks: (N,) int64, the number of each story's task.
            answers: (N,) int64, the class of each right answer, -1 where it has none.

        Returns:
            (N, symbols) int64, what each word becomes, by its id; and (N,) int64, the class of the answer then. Where
            no class is called so, the story keeps its names.
        """
        xp, n = self.backend.xp, seeds.shape[0]
        same = xp.arange(self.size, dtype=xp.int64, device=self.backend.device)
        same = xp.zeros((n, 1), dtype=xp.int64, device=self.backend.device) + same
        names = self.backend.copy(same)
        words = draw_words(seeds, episodes, sum(len(forms[0]) for _, forms in self.groups), NAMES_STREAM)
        first = 0
        for numbers, forms in self.groups:
            count = len(forms[0])
            turn = xp.argsort(words[:, first : first + count], axis=1)
            first += count
            here = tasks == numbers[0]
            for number in numbers[1:]:
                here = here | (tasks == number)
            for form in forms:
                names[:, form] = xp.where(here[:, None], form[turn], names[:, form])
        spelled = names[self.backend.rows(n)[:, None], self.spelled[self.backend.clip(answers, 0, None)]]
        key = xp.sum(spelled * self.digits, axis=1)
        place = self.backend.clip(xp.searchsorted(self.keys, key), 0, len(self.keys) - 1)
        known = (self.keys[place] == key) & (answers >= 0)
        return xp.where(known[:, None], names, same), xp.where(known, self.by_key[place], answers)


def renamed(names: Array, tokens: Array, xp: Any) -> Array:
    """(N, words) ids after `names` (N, symbols)."""
    return xp.take_along_axis(names, tokens, axis=1)
