"""Questions about a walk through several pictures, in words, and their answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from glimpse_env.backend import Backend
from glimpse_env.rng import Array, integers
from glimpse_env.text import Vocabulary

ORDINALS = (
    *("first", "second", "third", "fourth", "fifth", "sixth"),
    *("seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth"),
)
"""The names of the pictures' places."""

MOST = len(ORDINALS)
"""Pictures of a walk."""

KINDS = {
    "what": "what was in the {picture} picture",
    "where": "in which picture was the first {thing}",
    "count": "how many pictures had a {thing}",
    "seen": "was what is shown now there before",
    "order": "which came first {thing} or {other}",
}
"""The kinds of questions by name."""

WORDS = 9
"""Of the longest question."""

DRAWS = 6
"""Random words that a question takes."""


class Questions(NamedTuple):
    """The questions of N episodes, Q of each.

    Attributes:
        kind: (N, Q) int64, the number of the kind in `KINDS`.
        tokens: (N, Q, WORDS) int64.
        target: (N, Q) int64, the right answers.
        support: (N, Q, K) bool, the pictures that the answer rests on.
        probe: (N, Q) int64, the class of the picture that is shown with the question; -1 without one.
    """

    kind: Array
    tokens: Array
    target: Array
    support: Array
    probe: Array


class Asker:
    """Asks about walks through pictures of these classes, and knows the answers.

    Answers are the classes, then the places from first to twelfth, then the counts from 0 to 12, then yes and no: the
    same whatever the length of the walk.

    Args:
        classes: names of the classes. In a question they are quoted, so that they are no other word.
        kinds: which of `KINDS` are asked, each as often.
        backend: of the arrays.

    Raises:
        ValueError: for an unknown kind, or none.
    """

    def __init__(self, classes: Sequence[str], kinds: Sequence[str], backend: Backend) -> None:
        if not kinds or not set(kinds) <= set(KINDS):
            raise ValueError(f"kinds are one or more of {', '.join(KINDS)}, got {', '.join(kinds) or 'none'}")
        things = [f"'{name}'" for name in classes]
        fixed = sorted({word for text in KINDS.values() for word in text.split() if "{" not in word} - {*ORDINALS})
        self.vocabulary = Vocabulary([*fixed, *ORDINALS, *things])
        self.answers = (*classes, *ORDINALS, *map(str, range(MOST + 1)), "yes", "no")
        self.classes, self.backend = len(classes), backend
        self.place, self.number = len(classes), len(classes) + MOST
        self.yes, self.no = len(self.answers) - 2, len(self.answers) - 1
        self.asked = backend.asarray([number for number, name in enumerate(KINDS) if name in kinds])
        # A row of ids a kind, and in which of its places a picture, a thing or another thing is named.
        rows = np.zeros((len(KINDS), WORDS), np.int64)
        self.names = {name: np.zeros((len(KINDS), WORDS), bool) for name in ("picture", "thing", "other")}
        for row, text in enumerate(KINDS.values()):
            for column, word in enumerate(text.split()):
                if word[0] == "{":
                    self.names[word[1:-1]][row, column] = True
                else:
                    rows[row, column] = self.vocabulary.encode([word])[0]
        self.rows = backend.asarray(rows)
        self.first_ordinal, self.first_thing = (int(self.vocabulary.encode([w])[0]) for w in (ORDINALS[0], things[0]))

    def ask(self, words: Array, labels: Array, names: Array) -> Questions:
        """Questions about walks.

        Args:
            words: (N, Q, DRAWS) random words.
            labels: (N, K) int64, the classes of the pictures in their order.
            names: (N, K) int64, the pictures' numbers, from 0.
        """
        xp, count = self.backend.xp, labels.shape[1]
        kind = self.asked[integers(words[..., 0], len(self.asked))]
        each = self.backend.rows(labels.shape[0])[:, None]
        picture = integers(words[..., 1], count)
        shown, drawn = labels[each, picture], integers(words[..., 2], self.classes)
        absent = self._absent(words[..., 3], labels)
        half = words[..., 4] < 2**31
        # Half of the counts are about any class, which may be 0; half of what is shown was not there before.
        thing = xp.where((kind == 2) & half, drawn, shown)
        probe = xp.where(half & (absent >= 0), absent, shown)
        thing = xp.where(kind == 3, probe, thing)
        other = self._another(words[..., 5], labels, thing)
        swapped = (kind == 4) & half
        named = xp.where(swapped, other, thing), xp.where(swapped, thing, other)
        have, others = (labels[:, None] == name[..., None] for name in (thing, other))
        first, second = self._first(have), self._first(others)
        found = xp.any(have, axis=-1)
        by_kind = (
            shown,
            self.place + names[each, first % count],
            self.number + xp.sum(xp.astype(have, xp.int64), axis=-1),
            xp.where(found, self.yes, self.no),
            xp.where(first < second, thing, other),
        )
        here = self.backend.rows(count) == picture[..., None]
        places = self.backend.rows(count)
        support = xp.where((kind == 0)[..., None], here, have)
        support = xp.where((kind == 1)[..., None], places == first[..., None], support)
        both = (places == first[..., None]) | (places == second[..., None])
        support = xp.where((kind == 4)[..., None], both & (have | others), support)
        target = by_kind[0]
        for number, answer in enumerate(by_kind[1:], 1):
            target = xp.where(kind == number, answer, target)
        tokens = self._tokens(kind, names[each, picture], *named)
        return Questions(kind, tokens, target, support, xp.where(kind == 3, thing, xp.full_like(thing, -1)))

    def _tokens(self, kind: Array, picture: Array, thing: Array, other: Array) -> Array:
        xp, tokens = self.backend.xp, self.rows[kind]
        ids = {"picture": self.first_ordinal + picture, "thing": self.first_thing + thing}
        ids["other"] = self.first_thing + other
        for name, id in ids.items():
            tokens = xp.where(self.backend.asarray(self.names[name])[kind], id[..., None], tokens)
        return tokens

    def _absent(self, words: Array, labels: Array) -> Array:
        """(N, Q) a class of none of the pictures, each as likely; -1 where there is none."""
        xp = self.backend.xp
        free = ~xp.any(labels[:, :, None] == self.backend.rows(self.classes), axis=1)
        return self._drawn(words, free[:, None])

    def _another(self, words: Array, labels: Array, thing: Array) -> Array:
        """(N, Q) a class of a picture that is no `thing`, each as likely; any other class where there is none."""
        xp = self.backend.xp
        there = xp.any(labels[:, :, None] == self.backend.rows(self.classes), axis=1)[:, None]
        not_it = self.backend.rows(self.classes) != thing[..., None]
        found = self._drawn(words, there & not_it)
        return xp.where(found >= 0, found, self._drawn(words, not_it))

    def _drawn(self, words: Array, free: Array) -> Array:
        """(N, Q) the number of one of those that are `free` (N, Q or 1, C), each as likely; -1 where there is none."""
        xp = self.backend.xp
        count = xp.cumsum(xp.astype(free, xp.int64), axis=-1)
        total = count[..., -1]
        wanted = integers(words, total) + 1
        place = xp.argmax(xp.astype(free & (count == wanted[..., None]), xp.int64), axis=-1)
        return xp.where(total > 0, place, xp.full_like(place, -1))

    def _first(self, have: Array) -> Array:
        """(N, Q) the first picture that has it, of (N, Q, K) bool; K where none has."""
        xp = self.backend.xp
        first = xp.argmax(xp.astype(have, xp.int64), axis=-1)
        return xp.where(xp.any(have, axis=-1), first, xp.full_like(first, have.shape[-1]))


def sentence(vocabulary: Vocabulary, tokens: Any) -> str:
    """A question in words, of its ids (WORDS,)."""
    return " ".join(vocabulary.words[int(id)] for id in tokens if id)
