"""Sentences as arrays, with the word that each word hangs on, and rules that find it without learning."""

from __future__ import annotations

import functools
import lzma
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from glimpse_env.images import SPLITS, Split
from glimpse_env.notices import from_home
from glimpse_env.rare_words import known_words, vocabulary_of
from glimpse_env.read_only import read_only_arrays
from glimpse_env.template_trees import template_trees
from glimpse_env.text import Vocabulary
from glimpse_env.treebank_files import RELEASES, Sentence, find_files, read_conllu


class Treebank(NamedTuple):
    """Sentences and their arcs; every array is read-only.

    Attributes:
        vocabulary: of the tokens.
        relations: the names of how words hang on each other.
        tags: the parts of speech.
        source: where the files are.
        tokens: (S, L) int32, ids of the words of each sentence, padded with 0.
        length: (S,) int32, words of each.
        head: (S, L) int32, the place of the word that each hangs on, from 0: its own for the root; -1 after the end.
        relation: (S, L) int32, the class of each arc; -1 for one that no training sentence has, and after the end.
        tag: (S, L) int32, the part of speech of each word; -1 after the end.
        split: (S,) int8, the row of `SPLITS`.
    """

    vocabulary: Vocabulary
    relations: tuple[str, ...]
    tags: tuple[str, ...]
    source: str
    tokens: np.ndarray
    length: np.ndarray
    head: np.ndarray
    relation: np.ndarray
    tag: np.ndarray
    split: np.ndarray


def load_treebank(
    name: str,
    data: str | os.PathLike[str] | None = None,
    vocabulary: Sequence[str] | None = None,
    relations: Sequence[str] | None = None,
) -> Treebank:
    """All sentences of a treebank, read once per process.

    Args:
        name: "templates", or a key of `RELEASES`.
        data: a folder in place of the usual ones.
        vocabulary: the words to use in place of the sentences' own: those of a trained agent.
        relations: the same for the relations.

    Raises:
        FileNotFoundError: where a file is not found.
        ValueError: for an unknown treebank, or a damaged file, which is named.
    """
    if name != "templates" and name not in RELEASES:
        raise ValueError(f'treebank must be "templates" or one of {", ".join(RELEASES)}, got {name!r}')
    if name == "templates" and data is not None:
        raise ValueError(
            'treebank="templates" is made up: there is no data= to read; your own files are read with treebank="ewt"'
        )
    files = () if name == "templates" else tuple(find_files(name, data).items())
    if relations is not None and not relations:
        raise ValueError("answers= names at least one relation")
    words, classes = (None if names is None else tuple(names) for names in (vocabulary, relations))
    return _assemble(files, tuple(path.stat().st_mtime_ns for _, path in files), words, classes)


@functools.lru_cache(maxsize=8)
def _assemble(
    files: tuple[tuple[str, Path], ...],
    changed: tuple[int, ...],
    vocabulary: tuple[str, ...] | None,
    relations: tuple[str, ...] | None,
) -> Treebank:
    sentences: list[Sentence] = [] if files else list(template_trees())
    for split, path in files:
        try:
            sentences += read_conllu(path, split)
        except (OSError, EOFError, ValueError, lzma.LZMAError) as error:
            raise ValueError(f"{path}: damaged, or not in the CoNLL-U format ({error})") from error
    forms = [[word.form for word in each.words] for each in sentences]
    trained = [each for each in sentences if each.split == "train"]
    if not trained:
        raise ValueError(f"{files[0][1]} has no sentences")
    own = vocabulary_of(row for row, each in zip(forms, sentences, strict=True) if each.split == "train")
    book = own if vocabulary is None else Vocabulary(vocabulary)
    often = Counter(word.relation for each in trained for word in each.words)
    names = tuple(sorted(often)) if relations is None else relations
    tags = tuple(sorted({word.tag for each in sentences for word in each.words}))
    width = max(map(len, forms))
    head, relation, tag = (np.full((len(sentences), width), -1, np.int32) for _ in range(3))
    for row, each in enumerate(sentences):
        count = len(each.words)
        head[row, :count] = [word.head for word in each.words]
        relation[row, :count] = [names.index(word.relation) if word.relation in names else -1 for word in each.words]
        tag[row, :count] = [tags.index(word.tag) for word in each.words]
    treebank = Treebank(
        vocabulary=book,
        relations=names,
        tags=tags,
        source=from_home(files[0][1].parent) if files else "",
        tokens=np.stack([book.encode(known_words(row, book), width) for row in forms]).astype(np.int32),
        length=np.array([len(row) for row in forms], np.int32),
        head=head,
        relation=relation,
        tag=tag,
        split=np.array([SPLITS.index(each.split) for each in sentences], np.int8),
    )
    read_only_arrays(treebank)
    return treebank


def next_word(treebank: Treebank, split: Split) -> float:
    """Percent wrong of who says that every word hangs on the next one."""
    rows = treebank.split == SPLITS.index(split)
    head = treebank.head[rows]
    inside = head >= 0
    return 100 * float((head != np.arange(head.shape[1]) + 1)[inside].mean())


def usual_offset(treebank: Treebank, split: Split) -> float:
    """Percent wrong of who knows the part of speech of each word, and says that it hangs as far off as most of it."""
    place = np.arange(treebank.head.shape[1])
    known = (treebank.split == SPLITS.index("train"))[:, None] & (treebank.head >= 0)
    offset = np.where(treebank.head >= 0, treebank.head - place, 0)
    reach = treebank.head.shape[1]
    table = np.zeros((len(treebank.tags), 2 * reach + 1), np.int64)
    np.add.at(table, (treebank.tag[known], offset[known] + reach), 1)
    asked = (treebank.split == SPLITS.index(split))[:, None] & (treebank.head >= 0)
    return 100 * float((table.argmax(1)[treebank.tag[asked]] - reach != offset[asked]).mean())
