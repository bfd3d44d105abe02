"""The German Traffic Sign Detection Benchmark: street scenes, and the boxes and classes of their signs.

Houben, Stallkamp, Salmen, Schlipsing & Igel, "Detection of Traffic Signs in Real-World Images: The German Traffic Sign
Detection Benchmark", IJCNN 2013; free to use for any purpose. Scenes 0 to 599 are for training and 600 to 899 for test,
as published. Of the former, the last 120 are the validation split here.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from glimpse_env.datasets import VARIABLE
from glimpse_env.decoding import BACKGROUND, read_header
from glimpse_env.fitting import Fitting
from glimpse_env.folders import ImageFile
from glimpse_env.images import SPLITS, Split, check_split
from glimpse_env.notices import from_home, say_once
from glimpse_env.pictures import FilePictures, Reading, open_pictures
from glimpse_env.read_only import read_only

FOLDER = "gtsdb"
"""In the folder that GLIMPSE_DATA names."""
LISTING = "gt.txt"
FIRST_OF = {"train": 0, "validation": 480, "test": 600}
"""Number of the first scene of each split."""
CATEGORIES = ("prohibitory", "mandatory", "danger", "other")
"""The categories of the published competition, and what is in none of them."""

_GROUPS = (
    ("prohibitory", "speed limit 20, speed limit 30, speed limit 50, speed limit 60, speed limit 70, speed limit 80"),
    ("other", "restriction ends 80"),
    ("prohibitory", "speed limit 100, speed limit 120, no overtaking, no overtaking (trucks)"),
    ("danger", "priority at next intersection"),
    ("other", "priority road, give way, stop"),
    ("prohibitory", "no traffic both ways, no trucks"),
    ("other", "no entry"),
    ("danger", "danger, bend left, bend right, bend, uneven road, slippery road, road narrows, construction"),
    ("danger", "traffic signal, pedestrian crossing, school crossing, cycles crossing, snow, animals"),
    ("other", "restriction ends"),
    ("mandatory", "go right, go left, go straight, go right or straight, go left or straight, keep right, keep left"),
    ("mandatory", "roundabout"),
    ("other", "restriction ends (overtaking), restriction ends (overtaking (trucks))"),
)
CLASSES = tuple(name for _, names in _GROUPS for name in names.split(", "))
"""The 43 classes by their numbers in `gt.txt`."""
CATEGORY = tuple(CATEGORIES.index(kind) for kind, names in _GROUPS for _ in names.split(", "))
"""The category of each class."""


class StreetScenes(NamedTuple):
    """The scenes of one split that show a sign. The arrays are read-only.

    Attributes:
        pictures: M of them, in their files.
        boxes: (S, 4) int64 left, top, right, bottom in pixels of the file as it is, right and bottom exclusive.
        kinds: (S,) int64, the class of each sign.
        scene: (S,) int64, which picture it is in; in order.
        full: (height, width) of the files.
        source: where they were found, in words.
    """

    pictures: FilePictures
    boxes: np.ndarray
    kinds: np.ndarray
    scene: np.ndarray
    full: tuple[int, int]
    source: str

    def signs(self, scene: int) -> np.ndarray:
        """The numbers of the signs in a picture."""
        return np.arange(*np.searchsorted(self.scene, (scene, scene + 1)))


def find_street_scenes(data: str | os.PathLike[str] | None) -> Path:
    """The folder with `gt.txt` and the pictures, in it or in its folder `images`.

    Raises:
        FileNotFoundError: where there is none, saying how to get it.
    """
    own = os.environ.get(VARIABLE)
    folder = Path(data).expanduser() if data is not None else Path(own).expanduser() / FOLDER if own else None
    if folder is None or not (folder / LISTING).is_file():
        raise FileNotFoundError(
            f"no {LISTING} in {folder if folder else f'{VARIABLE}, which is not set'}: get the German Traffic Sign "
            f"Detection Benchmark (FullIJCNN2013.zip), and name its folder by data=, or put it as {FOLDER} into the "
            f"folder that {VARIABLE} names"
        )
    return folder.resolve()


def load_street_scenes(data: str | os.PathLike[str] | None, split: Split, fitting: Fitting) -> StreetScenes:
    """The scenes of a split.

    Args:
        data: the benchmark's folder; None is `gtsdb` in the folder that GLIMPSE_DATA names.
        split: "train", "validation" or "test".
        fitting: how pictures are shrunk when they are read.

    Raises:
        FileNotFoundError: where there is no such folder, or no picture of the split in it.
        ValueError: for a damaged listing, pictures of several sizes, or an unknown split.
    """
    check_split(split)
    folder = find_street_scenes(data)
    return _load(folder, ImageFile.of(folder / LISTING), split, fitting)


@functools.lru_cache(maxsize=4)
def _load(folder: Path, listing: ImageFile, split: str, fitting: Fitting) -> StreetScenes:
    rows = read_listing((folder / LISTING).read_text(encoding="ascii").splitlines(), str(folder / LISTING))
    first, *later = (FIRST_OF[name] for name in SPLITS[SPLITS.index(split) :])
    rows = rows[(rows[:, 0] >= first) & (rows[:, 0] < (later or [np.iinfo(np.int64).max])[0])]
    files: list[Path] = []
    kept: list[np.ndarray] = []
    missing: list[str] = []
    for number in np.unique(rows[:, 0]):
        place = _picture(folder, int(number))
        if place is None:
            missing.append(f"{number:05}")
        else:
            files.append(place)
            kept.append(rows[rows[:, 0] == number])
    if not files:
        raise FileNotFoundError(f"{folder} holds no picture of the {split} split, such as {first:05}.ppm or .jpg")
    if missing:
        say_once(f"{folder}: {len(missing)} pictures of {LISTING} are missing and left out, such as {missing[0]}")
    headers = [read_header(file) for file in files]
    sizes = {header.size for header in headers}
    if len(sizes) > 1:
        raise ValueError(f"{folder}: the pictures of the benchmark are of one size, and these are of {sorted(sizes)}")
    pictures = open_pictures([ImageFile.of(file) for file in files], headers, Reading(fitting, BACKGROUND))
    signs = np.concatenate(kept)
    scene = np.searchsorted(np.unique(signs[:, 0]), signs[:, 0])
    boxes = signs[:, 1:5] + np.array([0, 0, 1, 1])
    boxes, kinds, scene = (read_only(np.ascontiguousarray(part)) for part in (boxes, signs[:, 5], scene))
    return StreetScenes(pictures, boxes, kinds, scene, headers[0].size, from_home(folder))


def read_listing(lines: Iterable[str], name: str) -> np.ndarray:
    """(S, 6) int64: number of the picture, left, top, right, bottom (all inclusive) and class, in order of pictures.

    Args:
        lines: as `00001.ppm;983;388;1024;432;40`.
        name: of the file, for errors.

    Raises:
        ValueError: for a line of another form, or an unknown class.
    """
    rows = []
    for line in filter(None, map(str.strip, lines)):
        file, *numbers = line.split(";")
        try:
            row = [int(Path(file).stem), *map(int, numbers)]
        except ValueError:
            row = []
        if len(row) != 6 or not 0 <= row[5] < len(CLASSES) or row[1] > row[3] or row[2] > row[4]:
            raise ValueError(f"{name}: the line {line!r} is not picture;left;top;right;bottom;class")
        rows.append(row)
    if not rows:
        raise ValueError(f"{name} is empty")
    table = np.array(rows, np.int64)
    return table[np.argsort(table[:, 0], kind="stable")]


def _picture(folder: Path, number: int) -> Path | None:
    for place in (folder, folder / "images"):
        for suffix in (".ppm", ".jpg", ".png"):
            if (path := place / f"{number:05}{suffix}").is_file():
                return path
    return None
