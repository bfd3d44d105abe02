"""Files in the CoNLL-U format of Universal Dependencies: sentences with the word that each word hangs on."""

from __future__ import annotations

import lzma
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from glimpse_env.datasets import VARIABLE, cache_folder

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
        files: by split, what its name begins with; ".conllu" or ".conllu.xz" follows, perhaps after another word.
        origin: the repository on GitHub that has it.
    """

    folder: str
    files: dict[str, str]
    origin: str


def _release(folder: str, stem: str, origin: str) -> Release:
    files = {"train": f"{stem}-train", "validation": f"{stem}-dev", "test": f"{stem}-test"}
    return Release(folder, files, f"UniversalDependencies/{origin}")


RELEASES: dict[str, Release] = {
    "atis": _release("ud-english-atis", "en_atis-ud", "UD_English-Atis"),
    "ewt": _release("ud-english-ewt", "en_ewt-ud", "UD_English-EWT"),
}
"""The known treebanks by name, both CC BY-SA 4.0. None of them is downloaded."""


def find_files(name: str, data: str | os.PathLike[str] | None) -> dict[str, Path]:
    """The file of each split, of a known treebank or in a folder of one's own.

    A folder of one's own has a file for each split, whose name has "train", "dev" and "test" in it.

    Raises:
        FileNotFoundError: where one is missing; the message says where it was sought, and where it is published.
    """
    release = RELEASES[name]
    own = os.environ.get(VARIABLE)
    places = [Path(own).expanduser() / release.folder] if own else []
    places = [Path(data).expanduser()] if data is not None else [*places, cache_folder(release.folder)]
    for place in places:
        found = {}
        for split, stem in release.files.items():
            named = stem if data is None else f"*{stem.rpartition('-')[2]}"  # "*train", whatever is before it
            found[split] = sorted(place.glob(f"{named}*.conllu*"))
        if all(found.values()):
            return {split: files[0] for split, files in found.items()}
    raise FileNotFoundError(
        f"the treebank {name} (a .conllu or .conllu.xz file each for train, dev and test) is in none of these folders: "
        f"{', '.join(map(str, places))}. It is {release.origin} on GitHub (CC BY-SA 4.0): put its files into a folder "
        f'{release.folder} in the one that {VARIABLE} names, or name their folder with data=; treebank="templates" '
        "needs no file"
    )


def read_conllu(path: Path, split: str) -> Iterator[Sentence]:
    """The sentences of a file, packed by xz or not. Words that stand for several, and empty ones, are left out.

    Raises:
        ValueError: for a line of another form, by its number.
    """
    content = lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()
    words: list[Word] = []
    for number, line in enumerate([*content.decode("utf-8-sig").splitlines(), ""], 1):
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
