"""Ambiguous words in their sentences as arrays: which sense has the word here?"""

from __future__ import annotations

import csv
import functools
import lzma
import os
import tarfile
import textwrap
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from glimpse_env.images import SPLITS
from glimpse_env.notices import from_home, say_once
from glimpse_env.rare_words import known_words, vocabulary_of
from glimpse_env.read_only import read_only_arrays
from glimpse_env.sense_clues import telling_words
from glimpse_env.sense_files import RELEASES, VALIDATION_TENTH, Occurrence, find_release
from glimpse_env.text import Vocabulary

REACH = 20
"""Words on either side of the ambiguous one that are kept."""

CLUES = 4
"""Words of a sentence that are named as telling."""

UNKNOWN_SENSE = -1
"""The class of a sense that no training sentence has: nothing is right."""


class Senses(NamedTuple):
    """Labelled sentences; every array is read-only.

    Attributes:
        vocabulary: of the tokens.
        words: the ambiguous words.
        answers: the senses of all of them, as "word: sense".
        source: where the file is.
        tokens: (S, L) int32, ids of the words of each sentence, padded with 0.
        length: (S,) int32, words of each sentence.
        place: (S,) int32, of the ambiguous word in it, from 0.
        word: (S,) int32, the number of the ambiguous word.
        sense: (S,) int32, class, or -1 for a sense that no training sentence has.
        split: (S,) int8, the row of `SPLITS`.
        clues: (S, F) int32, the words that tell the sense, from 0, padded with -1.
        planted: whether the clues are known; otherwise they are those that the training sentences point to.
    """

    vocabulary: Vocabulary
    words: tuple[str, ...]
    answers: tuple[str, ...]
    source: str
    tokens: np.ndarray
    length: np.ndarray
    place: np.ndarray
    word: np.ndarray
    sense: np.ndarray
    split: np.ndarray
    clues: np.ndarray
    planted: bool


def load_senses(
    name: str,
    data: str | os.PathLike[str] | None = None,
    vocabulary: Sequence[str] | None = None,
    answers: Sequence[str] | None = None,
) -> Senses:
    """All sentences of a set, read once per process. Words that have one sense in training are left out.

    Args:
        name: a key of `RELEASES`.
        data: a file or a folder in place of the usual ones.
        vocabulary: the words to use in place of the file's own: those of a trained agent.
        answers: the same for the senses.

    Raises:
        FileNotFoundError: where the file is not found.
        ValueError: for an unknown set, or a damaged file, which is named.
    """
    if name not in RELEASES:
        raise ValueError(f'words must be "planted" or one of {", ".join(RELEASES)}, got {name!r}')
    path = find_release(name, data)
    words, classes = (None if names is None else tuple(names) for names in (vocabulary, answers))
    return _assemble(name, path, path.stat().st_mtime_ns, words, classes)


@functools.lru_cache(maxsize=8)
def _assemble(
    name: str, path: Path, changed: int, vocabulary: tuple[str, ...] | None, answers: tuple[str, ...] | None
) -> Senses:
    try:
        read = list(RELEASES[name].read(path))
    except (OSError, EOFError, KeyError, ValueError, tarfile.TarError, lzma.LZMAError, csv.Error) as error:
        reason = textwrap.shorten(str(error), 200, placeholder=" …")
        raise ValueError(f"{path}: damaged, or not as {name} is released ({reason})") from error
    apart = any(each.split == "validation" for each in read)
    found = [_cut(each if each.split == "test" or apart else each._replace(split=_split(each))) for each in read]
    if not found:
        raise ValueError(f"{path} has no labelled sentences of {name}")
    known: dict[str, set[str]] = {}
    for each in found:
        if each.split != "test":
            known.setdefault(each.word, set()).add(each.sense)
    ambiguous = tuple(sorted(word for word, senses in known.items() if len(senses) > 1))
    if not ambiguous:
        raise ValueError(f"{path}: no word has two senses in its training sentences")
    kept = [each for each in found if each.word in ambiguous]
    if len(kept) < len(found):
        say_once(f"{name}: sentences left out whose words have one sense alone: {len(found) - len(kept):,}")
    trained = (each.tokens for each in kept if each.split == "train")
    own = (word.lower() for word in ambiguous)
    book = vocabulary_of(trained, own) if vocabulary is None else Vocabulary(vocabulary)
    learnt = {f"{word}: {sense}" for word in ambiguous for sense in known[word]}
    classes = tuple(sorted(learnt)) if answers is None else answers
    number = {answer: index for index, answer in enumerate(classes)}
    width = max(len(each.tokens) for each in kept)
    tokens = np.stack([book.encode(known_words(each.tokens, book), width) for each in kept]).astype(np.int32)
    place = np.array([each.place for each in kept], np.int32)
    asked = np.array([ambiguous.index(each.word) for each in kept], np.int32)
    sense = np.array([number.get(f"{each.word}: {each.sense}", UNKNOWN_SENSE) for each in kept], np.int32)
    split = np.array([SPLITS.index(each.split) for each in kept], np.int8)
    senses = Senses(
        vocabulary=book,
        words=ambiguous,
        answers=classes,
        source=f"{path.name} in {from_home(path.parent)}",
        tokens=tokens,
        length=np.array([len(each.tokens) for each in kept], np.int32),
        place=place,
        word=asked,
        sense=sense,
        split=split,
        clues=telling_words(tokens, place, asked, sense, split == SPLITS.index("train"), CLUES),
        planted=False,
    )
    read_only_arrays(senses)
    return senses


def _cut(each: Occurrence) -> Occurrence:
    """The sentence as far as `REACH` words to either side of the ambiguous one."""
    first = max(0, each.place - REACH)
    return each._replace(place=each.place - first, tokens=each.tokens[first : each.place + REACH + 1])


def _split(each: Occurrence) -> str:
    """A tenth of the training sentences are for validation, by their text: the same is always in the same split."""
    return "validation" if zlib.crc32(" ".join(each.tokens).encode()) // 7 % VALIDATION_TENTH == 0 else "train"
