"""A vocabulary of words and of the endings of rare ones: what an ending tells is mostly the part of speech."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from glimpse_env.text import MARKS, Vocabulary

RARE = 3
"""Words in fewer of the training sentences are known by their ending alone."""

ENDING = 2
"""Letters of an ending."""


def vocabulary_of(sentences: Iterable[Sequence[str]], always: Iterable[str] = ()) -> Vocabulary:
    """The words of at least `RARE` of these sentences, the endings that as many other words have, and some words in any
    case."""
    often = Counter(word for sentence in sentences for word in set(sentence))
    named = {word for word, times in often.items() if times >= RARE} | set(always)
    endings = Counter(ending_of(word) for word in often if word not in named)
    named |= {end for end, times in endings.items() if times >= RARE}
    return Vocabulary(sorted(named - set(MARKS)))


def ending_of(word: str) -> str:
    """What stands for a rare word."""
    return f"…{word[-ENDING:]}"


def known_words(words: Sequence[str], book: Vocabulary) -> list[str]:
    """The words that the vocabulary has, and the endings of the others."""
    return [word if word in book else ending_of(word) for word in words]
