"""Words as numbers: a public vocabulary, and sentences as rows of ids padded to one length."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

PADDING, UNKNOWN = 0, 1
"""The ids of what fills a row up, and of a word that the vocabulary lacks."""

MARKS = ("<padding>", "<unknown>")


def tokenize(sentence: str) -> list[str]:
    """The words of a sentence, lower-case and without its full stop; the mark of a question is a word of its own."""
    sentence = sentence.strip().lower()
    if sentence.endswith("?"):
        return [*sentence[:-1].split(), "?"]
    return sentence.removesuffix(".").split()


class Vocabulary:
    """The words that have a number: `words[id]` is the word, 0 the padding, 1 stands for every other word.

    Args:
        words: the words in the order of their ids, from 2; or the `words` of another vocabulary, marks and all.

    Raises:
        ValueError: for a word that occurs twice.
    """

    def __init__(self, words: Iterable[str]) -> None:
        words = tuple(words)
        self.words: tuple[str, ...] = words if words[:2] == MARKS else (*MARKS, *words)
        self._ids = {word: number for number, word in enumerate(self.words)}
        if len(self._ids) != len(self.words):
            raise ValueError("a vocabulary names each word once; remove the repeated ones")

    def __len__(self) -> int:
        return len(self.words)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self.words == other.words

    def __hash__(self) -> int:
        return hash(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self._ids

    def encode(self, text: str | Sequence[str], length: int | None = None) -> np.ndarray:
        """The ids of a sentence.

        Args:
            text: a sentence, which is tokenized, or its words.
            length: pad with 0 up to this many words.

        Returns:
            (length,) int64, or one id for each word where no length is given.

        Raises:
            ValueError: for a sentence of more than `length` words.
        """
        words = tokenize(text) if isinstance(text, str) else list(text)
        if length is not None and len(words) > length:
            raise ValueError(f"{len(words)} words do not fit into {length}: {' '.join(words)!r}")
        row = np.full(len(words) if length is None else length, PADDING, np.int64)
        row[: len(words)] = [self._ids.get(word, UNKNOWN) for word in words]
        return row

    def decode(self, ids: Iterable[int]) -> str:
        """The words of a row of ids, with spaces between them and without the padding."""
        return " ".join(self.words[int(number)] for number in ids if int(number) != PADDING)
