"""Your own labelled images: arrays, an .npz file, or a folder of class folders; and how they are split."""

from __future__ import annotations

import functools
import math
import os
import zipfile
import zlib
from collections.abc import Sequence
from numbers import Integral
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from glimpse_env.dataset_objects import SharedDataset, check_no_stream, is_dataset, read_pairs
from glimpse_env.decoding import BACKGROUND, Header, decode, read_header
from glimpse_env.fitting import Fit, Fitting
from glimpse_env.folders import ImageFile, Listing, list_images, note
from glimpse_env.image_set import ImageSet, checked_names
from glimpse_env.notices import from_home, say_once
from glimpse_env.pictures import Pictures, Reading, hold_pictures, open_pictures
from glimpse_env.read_only import read_only
from glimpse_env.rng import draw_words

Split = Literal["train", "validation", "test", "all"]
"""Which images: "all" is for your own alone."""
SPLITS: tuple[Split, ...] = get_args(Split)[:3]


def check_split(split: str) -> None:
    """See that a split is one of `SPLITS`.

    Raises:
        ValueError: where it is not.
    """
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}; it is one of {', '.join(SPLITS)}")


SPLIT_STREAM = 2
"""The random stream of `assign_splits`; 0 and 1 are those of the scenes and first fixations."""
MAX_CLASSES = 2**16
DENSE_BYTES = 2**28
"""A folder whose pictures have no more pixels than this, counted in RGB, is decoded at once, so that damaged files are
found before the first episode; where the pictures are of one size, they are an array."""


def load_images(
    images: Any,
    labels: Any = None,
    split: Split | None = None,
    names: Any = None,
    *,
    resize: int | None = None,
    background: Any = BACKGROUND,
    fit: Fit = "pad",
    size: tuple[int, int] | None = None,
) -> ImageSet:
    """Your own images.

    Args:
        images: one of
            an array (N, H, W), (N, H, W, 1) or (N, H, W, 3) uint8, grey or RGB, with `labels`. All of a grey array
            are shared, not copied, as is a single image: leave it unchanged as long as environments use it. A split or
            other RGB is a copy;
            a list of paths of image files, with `labels`. They may be of many sizes, as those of a folder;
            the path of an .npz file with such arrays under the names `images` and `labels`, and perhaps `names`;
            the path of a folder with one folder of images (`glimpse_env.decoding.SUFFIXES`) for each class. The
            sorted folder names are the classes; what lies in folders within them is of the same class. Images may
            be of many sizes. The set is grey if every image is, else RGB. Deep, transparent, turned and animated
            images are read as `glimpse_env.decoding.decode` says. What is left out is said once.
            A path is read once per process, and again when its files have changed.
            an object of pairs, such as a dataset of torchvision or Hugging Face (`glimpse_env.dataset_objects`). It is
            read into memory, once by each environment, as files are: at most 1 GiB.
        labels: (N,) integers from 0 to K - 1, for arrays and lists of files only.
        split: "train", "validation" or "test", as `assign_splits` holds images out; or "all", as is None. Where a
            folder has subfolders `train`, `validation` (or `val`, `valid`) and `test` with the class folders in them,
            they are its splits instead. Class names, size and channels are those of all splits together.
        names: the K class names, for arrays, lists of files and datasets only; by default the dataset's, or "0" to
            "K - 1". There may be more than have an image.
        resize: the longest side in pixels, to which larger images are shrunk, by averages over areas.
        background: a grey or (r, g, b) in [0, 255] behind what is transparent in files; mid-grey shows both black and
            white figures.
        fit: how images go onto a canvas of (height, width) `size`: see `glimpse_env.fitting.Fit`. With "contain" and
            "cover" the canvas is `size`, or a square of `resize`; without both, the largest height and width of the
            images. With "pad" the size makes no difference here.

    Returns:
        At least one image, in the order of the array, or of the classes and file names of the folder.

    Raises:
        FileNotFoundError: the path does not exist, or the folder has no such split.
        ValueError: a wrong dtype, shape, label or name, too few images to split, or a file that cannot be read, which
            is named.
    """
    reading = Reading(Fitting.of(fit, resize, size), _checked_background(background))
    split = "all" if split is None else split
    if split not in get_args(Split):
        raise ValueError(f"unknown split {split!r}; it is one of {', '.join(get_args(Split))}")
    images = images.dataset if isinstance(images, SharedDataset) else images
    check_no_stream(images)
    if is_dataset(images):
        if labels is not None:
            raise ValueError(f"leave labels out: those of a {type(images).__name__} come from itself")
        data = _from_dataset(images, names, reading)
        return data if split == "all" else data.take(assign_splits(data.labels) == SPLITS.index(split))
    if not isinstance(images, (str, os.PathLike)):
        if labels is None:
            raise ValueError("images given as an array or a list need labels=…, an integer for each image")
        if _are_paths(images):
            data = _from_files(images, labels, names, reading)
        else:
            data = _from_arrays(images, labels, names).fitted(reading.fitting)
        return data if split == "all" else data.take(assign_splits(data.labels) == SPLITS.index(split))
    path = Path(images).expanduser().resolve()
    if labels is not None or names is not None:
        raise ValueError(
            f"leave labels and names out: those of {path} come from the file or the class folders themselves"
        )
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist; images is an array, an .npz file or a folder of class folders")
    if not path.is_dir() and path.suffix.lower() != ".npz":
        raise ValueError(f"{path} is neither a folder of class folders nor an .npz file")
    found = list_images(path) if path.is_dir() else ImageFile.of(path)
    return _read_split(found, reading, split)


def assign_splits(labels: np.ndarray) -> np.ndarray:
    """Which split each of your own images is in: about 80 % train, 10 % validation and 10 % test of each class.

    The images are put in order of class, and within a class in a random order that is always the same. The fifth and
    the tenth of every ten are held out. So a class of ten images or more is in every split; a smaller one may not be.

    Args:
        labels: (N,) int64, the class of each image.

    Returns:
        (N,) int64 indices into `SPLITS`, a pure function of the labels.

    Raises:
        ValueError: fewer than ten images.
    """
    rows = np.arange(len(labels), dtype=np.int64)
    if len(rows) < 10:
        raise ValueError(
            f"{len(rows)} image(s) are too few to hold some out for validation and test: give at least 10, or ask "
            'for split="all"'
        )
    order = np.lexsort((draw_words(np.zeros_like(rows), rows, 1, SPLIT_STREAM)[:, 0], labels))
    splits = np.zeros_like(rows)
    splits[order[4::10]] = SPLITS.index("validation")
    splits[order[9::10]] = SPLITS.index("test")
    return splits


@functools.lru_cache(maxsize=4)
def _read_split(source: Listing | ImageFile, reading: Reading, split: Split) -> ImageSet:
    data, own = _read(source, reading), source.splits if isinstance(source, Listing) else ()
    if split == "all":
        return data
    path = source.folder if isinstance(source, Listing) else source.path
    if own:
        splits = np.array([SPLITS.index(name) for name in own])
    else:
        try:
            splits = assign_splits(data.labels)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
    rows = splits == SPLITS.index(split)
    if not rows.any():
        found = ", ".join(SPLITS[index] for index in np.unique(splits))
        raise FileNotFoundError(f"{path} holds the splits {found}, but no {split} with class folders")
    return data.take(rows)


@functools.lru_cache(maxsize=4)
def _read(source: Listing | ImageFile, reading: Reading) -> ImageSet:
    """All images of a folder or an .npz file."""
    if isinstance(source, Listing):
        return _from_listing(source, reading)._replace(source=from_home(source.folder))
    return _from_npz(Path(source.path), reading)._replace(source=from_home(source.path))


def _from_arrays(images: Any, labels: Any, names: Any = None) -> ImageSet:
    images = np.asarray(images)
    if np.issubdtype(images.dtype, np.floating):
        raise ValueError(
            f"images are {images.dtype}, not uint8: if they lie in [0, 1], multiply by 255 and convert, "
            "(images * 255).round().astype(numpy.uint8)"
        )
    if images.dtype != np.uint8:
        raise ValueError(f"images are {images.dtype}, not uint8: scale them to [0, 255] and convert to numpy.uint8")
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.shape[-1] not in (1, 3) or 0 in images.shape[1:]:
        raise ValueError(f"images have shape {images.shape}, not (N, H, W), (N, H, W, 1) or (N, H, W, 3)")
    if not len(images):
        raise ValueError("no images: give at least one")
    labels, names = _checked_labels(labels, names, len(images))
    images = images.transpose(0, 3, 1, 2)
    images = images if len(images) == 1 else np.ascontiguousarray(images).view()  # a single one may be large
    return ImageSet(read_only(images), labels, names)


def _checked_labels(labels: Any, names: Any, count: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """As `_classes`, of the labels of so many images.

    Raises:
        ValueError: for labels of another number or type, too.
    """
    labels = np.asarray(labels)
    if labels.shape != (count,):
        raise ValueError(f"labels have shape {labels.shape}, not ({count},): one for each image")
    if labels.dtype.kind not in "iu":
        raise ValueError(f"labels are {labels.dtype}, not integers: number the classes from 0 to K - 1")
    return _classes(labels, names)


def _classes(labels: np.ndarray, names: Any) -> tuple[np.ndarray, tuple[str, ...]]:
    """Labels (N,) of integers as int64, and the names of their classes.

    Raises:
        ValueError: for a label below 0, or without a name.
    """
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= MAX_CLASSES:
        raise ValueError(f"labels lie in [{low}, {high}]: number the classes from 0 to K - 1, K at most {MAX_CLASSES}")
    names = tuple(str(k) for k in range(high + 1)) if names is None else checked_names(names, "names")
    if high >= len(names):
        raise ValueError(f"labels go up to {high}, and there are {len(names)} names: give one for each class")
    return read_only(labels.astype(np.int64)), names


def _are_paths(images: Any) -> bool:
    return isinstance(images, (list, tuple)) and any(isinstance(image, (str, os.PathLike)) for image in images)


def _from_files(images: Any, labels: Any, names: Any, reading: Reading) -> ImageSet:
    """Pictures of a list of paths."""
    if not all(isinstance(image, (str, os.PathLike)) for image in images):
        raise ValueError("images are a list of paths or of arrays, not of both: decode the files, or write the arrays")
    labels, names = _checked_labels(labels, names, len(images))
    paths = [Path(image).expanduser().resolve() for image in images]
    for path in paths:
        if not path.is_file():
            raise FileNotFoundError(f"{path} does not exist, or is no file")
    headers = [read_header(path) for path in paths]
    pictures = _read_pictures([ImageFile.of(path) for path in paths], headers, reading)
    full_sizes = read_only(np.array([header.size for header in headers], np.int64))
    return ImageSet(pictures, labels, names, "files", full_sizes)


def _from_dataset(dataset: Any, names: Any, reading: Reading) -> ImageSet:
    pictures, labels, own = read_pairs(dataset, reading)
    if not pictures:
        raise ValueError("no images: give at least one")
    labels, names = _classes(labels, own if names is None else names)
    return ImageSet(hold_pictures(pictures), labels, names, f"a {type(dataset).__name__} object")


def _from_npz(path: Path, reading: Reading) -> ImageSet:
    try:
        with zipfile.ZipFile(path) as archive:
            missing = {"images.npy", "labels.npy"} - set(archive.namelist())
        if not missing:
            with np.load(path, allow_pickle=False) as arrays:
                images, labels, names = arrays["images"], arrays["labels"], arrays.get("names")
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{path} cannot be read as an .npz file of plain arrays ({error}); save it again") from error
    if missing:
        raise ValueError(f"{path} lacks images or labels: save it with numpy.savez(path, images=…, labels=…)")
    try:
        return _from_arrays(images, labels, names).fitted(reading.fitting)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _from_listing(listing: Listing, reading: Reading) -> ImageSet:
    headers = [read_header(file.path) for file in listing.files]
    several = [Path(file.path) for file, header in zip(listing.files, headers, strict=True) if header.several]
    notes = [
        *listing.left_out,
        note("several pictures in a file, of which the first is shown", several, listing.folder),
    ]
    if any(notes):
        say_once(f"{listing.folder}: {'; '.join(filter(None, notes))}")
    images = _read_pictures(listing.files, headers, reading)
    return ImageSet(images, read_only(np.array(listing.labels, np.int64)), listing.names)


def _read_pictures(files: Sequence[ImageFile], headers: Sequence[Header], reading: Reading) -> np.ndarray | Pictures:
    """An array of pictures of one size that are not too many, else `Pictures`: see `DENSE_BYTES`."""
    reading = reading._replace(fitting=reading.fitting.for_sizes(header.size for header in headers))
    small = sum(3 * math.prod(header.size) for header in headers) <= DENSE_BYTES
    if small and len({reading.fitting.shown(header.size) for header in headers}) == 1:
        return hold_pictures([decode(file.path, *reading) for file in files])
    images = open_pictures(files, headers, reading)
    for index in range(len(images) if small else 0):
        images[index]  # damaged files are found now
    return images


def _checked_background(value: Any) -> tuple[int, int, int]:
    colour = (value,) * 3 if isinstance(value, Integral) else value
    try:
        red, green, blue = colour
    except (TypeError, ValueError):
        red = green = blue = -1
    parts = (red, green, blue)
    if not all(type(part) is not bool and isinstance(part, (int, np.integer)) and 0 <= part <= 255 for part in parts):
        raise ValueError(f"background is a grey or (red, green, blue), of integers in [0, 255]; got {value!r}")
    return int(red), int(green), int(blue)
