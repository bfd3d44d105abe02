"""Files of ambiguous words in their sentences, each labelled with the sense that it has there."""

from __future__ import annotations

import csv
import io
import json
import lzma
import os
import re
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from glimpse_env.datasets import VARIABLE, release_folders
from glimpse_env.images import SPLITS

TOKEN = re.compile(r"\w+(?:['’-]\w+)*|[^\w\s]")
"""A word, or a mark by itself."""

COLUMNS = ("lemma", "sense", "index", "tokens")
"""What a table has to have."""

TEST_FIFTH = 5
"""Of a release without splits of its own, one sentence in so many is for the test."""

VALIDATION_TENTH = 10
"""Of the training sentences, one in so many is for validation."""


class Occurrence(NamedTuple):
    """An ambiguous word in its sentence.

    Attributes:
        word: as the release names it.
        sense: its name.
        place: of the word among the tokens, from 0.
        tokens: of the sentence, in lower case.
        split: "train", "validation" or "test"; "" where that is not said.
    """

    word: str
    sense: str
    place: int
    tokens: tuple[str, ...]
    split: str


class Release(NamedTuple):
    """A set of labelled sentences.

    Attributes:
        folder: in the one that GLIMPSE_DATA names, and in the cache.
        file: its name.
        read: from the file to its occurrences.
        licence: of the data.
        origin: the repository on GitHub that has it.
    """

    folder: str
    file: str
    read: Callable[[Path], Iterator[Occurrence]]
    licence: str
    origin: str


def read_homographs(path: Path) -> Iterator[Occurrence]:
    """The archive of Gorman, Mazovetskiy & Nikolaev 2018: data/train/*.tsv and data/eval/*.tsv."""
    with tarfile.open(path) as archive:
        for member in archive:
            half = re.search(r"(train|eval)/[^/]+\.tsv$", member.name)
            file = archive.extractfile(member) if half else None
            if file is None or half is None:
                continue
            for row in csv.DictReader(io.StringIO(file.read().decode()), delimiter="\t"):
                sentence = row["sentence"].encode()
                start = len(sentence[: int(row["start"])].decode(errors="ignore"))
                found = list(TOKEN.finditer(row["sentence"]))
                place = max(0, sum(token.start() <= start for token in found) - 1)
                tokens = tuple(token[0].lower() for token in found)
                yield Occurrence(row["homograph"], row["wordid"], place, tokens, "test" if half[1] == "eval" else "")


def read_table(path: Path) -> Iterator[Occurrence]:
    """A table with the columns lemma, sense, index and tokens (separated by spaces), packed by xz or not.

    Its column `split`, where it has one, is "train", "validation" or "test"; else a fifth of the rows is for the test,
    by their text.

    Raises:
        ValueError: for a missing column, or, by its line, a row that is too short, has another split, or whose index is
            no word of it.
    """
    content = lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()
    table = csv.DictReader(io.StringIO(content.decode("utf-8-sig")), delimiter="\t", quoting=csv.QUOTE_NONE)
    names = table.fieldnames or ()
    if missing := [name for name in COLUMNS if name not in names]:
        raise ValueError(f"it lacks the column {missing[0]!r}; it has {', '.join(names) or 'none'}")
    for line, row in enumerate(table, 2):
        if None in (row[name] for name in COLUMNS):
            raise ValueError(f"line {line} has fewer columns than {', '.join(names)}")
        tokens, index = tuple(row["tokens"].lower().split()), row["index"].strip()
        if not index.isdecimal() or int(index) >= len(tokens):
            raise ValueError(f"line {line}: index {index!r} is no word of {len(tokens)}, numbered from 0")
        split = (row.get("split") or "").strip().casefold()
        if "split" in names and split not in SPLITS:
            raise ValueError(f"line {line}: the split {split!r} is not one of {', '.join(SPLITS)}")
        fifth = zlib.crc32(row["tokens"].encode()) % TEST_FIFTH == 0
        yield Occurrence(row["lemma"], row["sense"], int(index), tokens, split or ("test" if fifth else ""))


def read_coarse(path: Path) -> Iterator[Occurrence]:
    """The archive of Loureiro et al. 2021: WORD/{train,test}.{data,gold}.txt and WORD/classes_map.txt."""
    with tarfile.open(path) as archive:
        contents = ((each, archive.extractfile(each)) for each in archive)  # in order: each way back unpacks it again
        files = {"/".join(each.name.split("/")[-2:]): file.read().decode() for each, file in contents if file}
    for word in sorted(name.split("/")[0] for name in files if name.endswith("/classes_map.txt")):
        names = json.loads(files[f"{word}/classes_map.txt"])
        for half in ("train", "test"):
            gold = files[f"{word}/{half}.gold.txt"].split()
            for line, label in zip(files[f"{word}/{half}.data.txt"].splitlines(), gold, strict=True):
                place, _, sentence = line.partition("\t")
                yield Occurrence(
                    word, names[label], int(place), tuple(sentence.split()), "test" if half == "test" else ""
                )


RELEASES: dict[str, Release] = {
    "homographs": Release(
        "wikipedia-homographs",
        "homographs.tar.xz",
        read_homographs,
        "Apache 2.0",
        "google-research-datasets/WikipediaHomographData",
    ),
    "noad": Release(
        "noad-senses",
        "noad55.tsv.xz",
        read_table,
        "CC BY 4.0, WordNet and MASC",
        "google-research-datasets/word_sense_disambigation_corpora",
    ),
    "coarse": Release(
        "coarsewsd20-NONCOMMERCIAL",
        "CoarseWSD-20.tar.xz",
        read_coarse,
        "CC BY-NC 4.0: not for commercial use",
        "danlou/bert-disambiguation",
    ),
}
"""The known sets by name. None of them is downloaded."""


def find_release(name: str, data: str | os.PathLike[str] | None) -> Path:
    """The file of a known set, or `data` itself where that is a file.

    Args:
        name: a key of `RELEASES`.
        data: a file, or the folder that holds it; None is the release's folder in the one that GLIMPSE_DATA names, or
            in the cache.

    Raises:
        FileNotFoundError: where there is none; the message says where it was sought, and where it is published.
    """
    release = RELEASES[name]
    places = release_folders(release.folder, data)
    if data is not None and places[0].is_file():
        return places[0]
    for place in places:
        if (place / release.file).is_file():
            return place / release.file
    raise FileNotFoundError(
        f"{release.file} ({name}) is in none of these folders: {', '.join(map(str, places))}. Its sentences are those "
        f"of {release.origin} on GitHub ({release.licence}): put it into a folder {release.folder} in the one that "
        f'{VARIABLE} names, or name it with data=; words="planted" needs no file'
    )
