"""Sentences and what is said of them word by word, as arrays: commands and actions, a language and another."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from glimpse_env.text import Vocabulary


class WordPairs(NamedTuple):
    """Sentences with their answers; every array is read-only.

    Attributes:
        vocabulary: of the sentences.
        answers: the words that are said; the last one ends an answer.
        source: where the file is; "" where there is none.
        tokens: (S, L) int64, ids of the words of each sentence, padded with 0.
        length: (S,) int64, words of each.
        said: (S, M) int64, classes of the words to be said, the end among them; after it the end again.
        due: (S,) int64, how many words are to be said, with the end.
        named: (S, M) int64, the word of the sentence that each of them rests on, from 0; -1 where none is known.
        split: (S,) int64, the row of `SPLITS`.
    """

    vocabulary: Vocabulary
    answers: tuple[str, ...]
    source: str
    tokens: np.ndarray
    length: np.ndarray
    said: np.ndarray
    due: np.ndarray
    named: np.ndarray
    split: np.ndarray

    def up_to(self, most: int) -> WordPairs:
        """Those of which at most so many words are to be said, with the end."""
        kept = self.due <= most
        columns = {name: getattr(self, name)[kept] for name in ("tokens", "length", "said", "due", "named", "split")}
        columns["said"], columns["named"] = columns["said"][:, :most], columns["named"][:, :most]
        return self._replace(**columns)
