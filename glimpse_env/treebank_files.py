"""Files in the CoNLL-U format of Universal Dependencies: sentences with the word that each word hangs on."""

from __future__ import annotations

import lzma
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from glimpse_env.datasets import VARIABLE, release_folders

HALVES = {"train": "train", "validation": "dev", "test": "test"}
"""What the files call each split."""

COLUMNS = 10
"""Of a line."""

FORM, TAG, HEAD, RELATION = 1, 3, 6, 7
"""Which of them are read."""


class Word(NamedTuple):
    """A word, its part of speech, the place of the word it hangs on (its own for the root), and how it does."""

    form: str
    tag: str
    head: int
    relation: str


class Sentence(NamedTuple):
    """A sentence and its split."""

    words: tuple[Word, ...]
    split: str


class Release(NamedTuple):
    """A published treebank.

    Attributes:
        folder: in the one that GLIMPSE_DATA names, and in the cache.
        origin: the repository on GitHub that has it.
    """

    folder: str
    origin: str


RELEASES: dict[str, Release] = {
    "atis": Release("ud-english-atis", "UniversalDependencies/UD_English-Atis"),
    "ewt": Release("ud-english-ewt", "UniversalDependencies/UD_English-EWT"),
}
"""The known treebanks by name, both CC BY-SA 4.0. None of them is downloaded."""


def find_files(name: str, data: str | os.PathLike[str] | None) -> dict[str, Path]:
    """The file of each split, of a known treebank or in a folder of one's own.

    A file's name has the word "train", "dev" or "test" in it, between hyphens, dots or underscores.

    Raises:
        ValueError: for several files of one split.
        FileNotFoundError: where one is missing; the message says where it was sought, and where it is published.
    """
    release = RELEASES[name]
    places = release_folders(release.folder, data)
    for place in places:
        files = [path for path in sorted(place.glob("*")) if path.name.endswith((".conllu", ".conllu.xz"))]
        found = {split: [path for path in files if _is_of(path.name, half)] for split, half in HALVES.items()}
        if more := next((paths for paths in found.values() if len(paths) > 1), None):
            raise ValueError(
                f"{place} has several files of one split: {', '.join(path.name for path in more)}; join them"
            )
        if all(found.values()):
            return {split: path for split, (path,) in found.items()}
    raise FileNotFoundError(
        f"the treebank {name} (a .conllu or .conllu.xz file each for train, dev and test) is in none of these folders: "
        f"{', '.join(map(str, places))}. It is {release.origin} on GitHub (CC BY-SA 4.0): put its files into a folder "
        f'{release.folder} in the one that {VARIABLE} names, or name their folder with data=; treebank="templates" '
        "needs no file"
    )


def _is_of(name: str, half: str) -> bool:
    return half in re.split(r"[-_.]", name.lower())


def read_conllu(path: Path, split: str) -> Iterator[Sentence]:
    """The sentences of a file, packed by xz or not. Words that stand for several, and empty ones, are left out.

    Raises:
        ValueError: for a line of another form, by its number.
    """
    content = lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()
    words: list[Word] = []
    for number, line in enumerate([*content.decode("utf-8-sig").replace("\r\n", "\n").split("\n"), ""], 1):
        if line.startswith("#"):
            continue
        if not line.strip():
            if words:
                yield _checked(words, split, number)
            words = []
            continue
        cells = line.split("\t")
        if len(cells) != COLUMNS:
            raise ValueError(f"line {number} has {len(cells)} columns in place of {COLUMNS}")
        if not cells[0].isdecimal():  # "3-4" or "5.1"
            continue
        if not cells[HEAD].isdecimal():
            raise ValueError(f"line {number}: the head {cells[HEAD]!r} is no number")
        head = int(cells[HEAD]) - 1 if int(cells[HEAD]) else len(words)
        words.append(Word(cells[FORM].lower(), cells[TAG], head, cells[RELATION].partition(":")[0]))


def _checked(words: list[Word], split: str, number: int) -> Sentence:
    if any(word.head >= len(words) for word in words):
        raise ValueError(f"the sentence before line {number} has a head that is no word of it")
    return Sentence(tuple(words), split)
