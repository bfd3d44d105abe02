"""The Omniglot characters (Lake, Salakhutdinov & Tenenbaum 2015), from the archives as released."""

from __future__ import annotations

import functools
import os
import re
import zipfile
import zlib
from collections import defaultdict
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import cv2
import numpy as np

from glimpse_env.datasets import VARIABLE, cache_folder
from glimpse_env.images import Split, check_split
from glimpse_env.notices import from_home
from glimpse_env.read_only import read_only

Background = Literal["small", "small1", "small2", "full"]
"""Which of the released sets is trained on: the "minimal" ones of five alphabets each, both of them, or all thirty."""

ARCHIVES: dict[str, tuple[str, ...]] = {
    "small": ("images_background_small1.zip", "images_background_small2.zip"),
    "small1": ("images_background_small1.zip",),
    "small2": ("images_background_small2.zip",),
    "full": ("images_background.zip",),
}
RUNS = "all_runs.zip"
"""The published runs of one-shot classification."""

VALIDATION = ("Early_Aramaic", "Greek")
"""Alphabets of the background sets that are held out: each set has Greek, and both are no larger than need be."""

PICTURE = re.compile(r"([^/]+)/(character\d+)/\d+_(\d+)\.png$")
"""An alphabet, a character, and who drew it."""


class Characters(NamedTuple):
    """C characters of several alphabets, each drawn by the same number D of people. Those of an alphabet are together.

    Attributes:
        images: (C, D, H, W) uint8, read-only; strokes are 255, paper is 0.
        alphabet: (C,) int64, ascending.
        names: of the alphabets.
        source: where they were found.
    """

    images: np.ndarray
    alphabet: np.ndarray
    names: tuple[str, ...]
    source: str


def load_omniglot(split: Split, background: Background = "small", data: str | None = None) -> Characters:
    """One split, read once per process from the archives, which stay as they are.

    Args:
        split: "train" or "validation", of the background set: all alphabets but `VALIDATION`, or these. "test": the 20
            published runs, each an "alphabet" of 20 characters, of which the first drawing is the one to learn from.
        background: which set is trained on.
        data: a folder that holds the archives; None is `omniglot` in the folder that GLIMPSE_DATA names, or the cache.

    Raises:
        FileNotFoundError: for an archive that is nowhere; the message says where it was sought.
        ValueError: for an unknown split or set, or an archive that is damaged or holds something else, by its name.
    """
    check_split(split)
    if background not in ARCHIVES:
        raise ValueError(f"background must be one of {', '.join(get_args(Background))}, got {background!r}")
    return _load(split, background, None if data is None else str(data), os.environ.get(VARIABLE))


@functools.lru_cache(maxsize=8)
def _load(split: Split, background: Background, data: str | None, variable: str | None) -> Characters:
    files = [_find(name, data, variable) for name in ([RUNS] if split == "test" else ARCHIVES[background])]
    source = f"{', '.join(file.name for file in files)} in {from_home(files[0].parent)}"
    try:
        if split == "test":
            return _runs(files[0], source)
        return _alphabets(files, split == "validation", source)
    except (OSError, KeyError, IndexError, EOFError, zipfile.BadZipFile, zlib.error, cv2.error) as error:
        raise ValueError(f"{source}: damaged, or not as released ({error}); download it again") from error


def _find(name: str, data: str | None, variable: str | None) -> Path:
    places = [Path(data)] if data else [*([Path(variable) / "omniglot"] if variable else []), cache_folder("omniglot")]
    places = [place.expanduser() for place in places]
    for place in places:
        if (place / name).is_file():
            return place / name
    raise FileNotFoundError(
        f"{name} of Omniglot is in none of these folders: {', '.join(map(str, places))}. It is in the repository "
        f"brendenlake/omniglot on GitHub, below python/: put it into a folder omniglot in the one that {VARIABLE} "
        "names, or name its folder with data="
    )


def _alphabets(files: list[Path], held_out: bool, source: str) -> Characters:
    """Those of all archives; an alphabet that several have is the same in each."""
    drawn: dict[tuple[str, str], dict[str, np.ndarray]] = defaultdict(dict)
    for file in files:
        with zipfile.ZipFile(file) as archive:
            for name in archive.namelist():
                found = PICTURE.search(name)
                if found is None or (found[1] in VALIDATION) != held_out or found[3] in drawn[found[1], found[2]]:
                    continue
                drawn[found[1], found[2]][found[3]] = _picture(archive.read(name))
    drawn = {character: pictures for character, pictures in sorted(drawn.items()) if pictures}
    names = tuple(sorted({alphabet for alphabet, _ in drawn}))
    rows = [[pictures[drawer] for drawer in sorted(pictures)] for pictures in drawn.values()]
    return _characters(rows, [names.index(alphabet) for alphabet, _ in drawn], names, source)


def _runs(file: Path, source: str) -> Characters:
    """The runs in order: `class_labels.txt` of each pairs a picture to be recognised with one to learn from."""
    with zipfile.ZipFile(file) as archive:
        lists = sorted(name for name in archive.namelist() if re.fullmatch(r"run\d+/class_labels\.txt", name))
        pairs = [[line.split() for line in archive.read(name).decode().splitlines() if line] for name in lists]
        rows = [[_picture(archive.read(learn)), _picture(archive.read(asked))] for run in pairs for asked, learn in run]
    runs = [number for number, run in enumerate(pairs) for _ in run]
    return _characters(rows, runs, tuple(name.split("/")[0] for name in lists), source)


def _characters(rows: list[list[np.ndarray]], alphabet: list[int], names: tuple[str, ...], source: str) -> Characters:
    shapes = {(len(row), *picture.shape) for row in rows for picture in row}
    if len(shapes) != 1 or min(shapes)[0] < 2 or len(set(min(shapes)[1:])) != 1:
        raise ValueError(
            f"{source}: characters need the same number of drawings, at least two, all square and of one size; got "
            f"(drawings, height, width) {sorted(shapes)}: download it again"
        )
    return Characters(read_only(np.array(rows)), read_only(np.array(alphabet, np.int64)), names, source)


def _picture(content: bytes) -> np.ndarray:
    """(H, W) uint8 of a PNG file, black on white as released: strokes become 255."""
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE)
    if pixels is None:
        raise OSError("a picture cannot be decoded")
    return 255 - pixels
