"""Labelled images, and how to bring your own: arrays, an .npz file, or a folder of class folders."""

from __future__ import annotations

import functools
import os
import zipfile
import zlib
from collections.abc import Sequence
from numbers import Integral
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import cv2
import numpy as np

from glimpse_env.rng import draw_words

Split = Literal["train", "validation", "test", "all"]
"""Which images: "all" is for your own alone."""
SPLITS: tuple[Split, ...] = get_args(Split)[:3]
SPLIT_STREAM = 2
"""The random stream of `assign_splits`; 0 and 1 are those of the scenes and first fixations."""
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
MAX_CLASSES = 2**16


class ImageSet(NamedTuple):
    """Labelled images of one split. The arrays are read-only, because many environments share them.

    Attributes:
        images: (M, C, h, w) uint8; C is 1 for grey, 3 for RGB.
        labels: (M,) int64 in [0, len(names)).
        names: the class names, in the order of the labels.
        source: where they were found, in words.
    """

    images: np.ndarray
    labels: np.ndarray
    names: tuple[str, ...]
    source: str = "arrays"

    def with_classes(self, classes: int | Sequence[str]) -> ImageSet:
        """The same images with other classes.

        Args:
            classes: names, which are the new order of the classes: labels are mapped onto them by name. Or how many
                classes there are; those beyond the present names are called by their numbers. Either way a class may
                be without an image.

        Raises:
            ValueError: an image's class that is not among them, fewer classes than names, or a name that is repeated
                or no string.
        """
        if isinstance(classes, Integral):
            found = len(self.names)
            if classes < found:
                raise ValueError(f"classes={classes}, but the labels name {found} classes")
            names = self.names + tuple(str(label) for label in range(found, int(classes)))
            return self._replace(names=checked_names(names, "classes"))
        names = checked_names(classes, "classes")
        shown = [self.names[label] for label in np.unique(self.labels)]
        unknown = [name for name in shown if name not in names]
        if unknown:
            raise ValueError(f"there are images of the classes {unknown}, which are not among {list(names)}")
        index = {name: label for label, name in enumerate(names)}
        labels = np.array([index.get(name, -1) for name in self.names], np.int64)[self.labels]
        labels.setflags(write=False)
        return self._replace(labels=labels, names=names)


def checked_names(names: Any, argument: str) -> tuple[str, ...]:
    """The names of classes, given as the argument so called.

    Raises:
        ValueError: where they are no sequence of different strings.
    """
    known = () if isinstance(names, str) or not np.iterable(names) else tuple(names)
    if not known or not all(isinstance(name, str) for name in known):
        raise ValueError(f"{argument} must be the names of the classes, such as ('cat', 'dog'), got {names!r}")
    repeated = sorted({name for name in known if known.count(name) > 1})
    if repeated:
        raise ValueError(f"{argument} must be different names, and {repeated} occur more than once")
    return tuple(map(str, known))  # NumPy's strings too


def load_images(images: Any, labels: Any = None, split: Split | None = None, names: Any = None) -> ImageSet:
    """Your own images.

    Args:
        images: one of
            an array (N, H, W), (N, H, W, 1) or (N, H, W, 3) uint8, grey or RGB, with `labels`. All of a grey array
            are shared, not copied: leave it unchanged as long as environments use it. A split or RGB is a copy;
            the path of an .npz file with such arrays under the names `images` and `labels`, and perhaps `names`;
            the path of a folder with one folder of images (png, jpg, jpeg, bmp, tif, tiff, webp) for each class.
            The sorted folder names are the classes. Images of differing sizes are centred on zeros of the
            largest height and width. The set is grey if every image is, else RGB.
            A path is read once per process, and again when its files have changed.
        labels: (N,) integers from 0 to K - 1, for arrays only.
        split: "train", "validation" or "test", as `assign_splits` holds images out; or "all", as is None. Where a
            folder has subfolders `train`, `validation` and `test` with the class folders in them, they are its
            splits instead. Class names, size and channels are those of all splits together.
        names: the K class names, for arrays only; by default "0" to "K - 1". There may be more than have an image.

    Returns:
        At least one image, in the order of the array, or of the classes and file names of the folder.

    Raises:
        FileNotFoundError: the path does not exist, or the folder has no such split.
        ValueError: a wrong dtype, shape, label or name, too few images to split, or a file that cannot be read, which
            is named.
    """
    split = "all" if split is None else split
    if split not in get_args(Split):
        raise ValueError(f"unknown split {split!r}; it is one of {', '.join(get_args(Split))}")
    if not isinstance(images, (str, os.PathLike)):
        if labels is None:
            raise ValueError("images given as an array need labels=…, an integer for each image")
        data = _from_arrays(images, labels, names)
        return data if split == "all" else _take(data, assign_splits(data.labels) == SPLITS.index(split))
    path = Path(images).expanduser().resolve()
    if labels is not None or names is not None:
        raise ValueError(
            f"leave labels and names out: those of {path} come from the file or the class folders themselves"
        )
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist; images is an array, an .npz file or a folder of class folders")
    if not path.is_dir() and path.suffix.lower() != ".npz":
        raise ValueError(f"{path} is neither a folder of class folders nor an .npz file")
    return _read_split(path, _version(path), split)._replace(source=str(path))


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


def _take(data: ImageSet, rows: np.ndarray) -> ImageSet:
    images, labels = data.images[rows], data.labels[rows]
    images.setflags(write=False)
    labels.setflags(write=False)
    return ImageSet(images, labels, data.names)


def _version(path: Path) -> int:
    """A number that changes with the files of a path: their sizes and times, and those of the folders they lie in."""
    entries = [path, *(entry for depth in ("*", "*/*", "*/*/*") for entry in path.glob(depth) if entry.exists())]
    return hash(tuple(sorted((stat.st_mtime_ns, stat.st_size) for stat in map(os.stat, entries))))


@functools.lru_cache(maxsize=4)
def _read_split(path: Path, version: int, split: Split) -> ImageSet:
    data, splits = _read(path, version)
    if split == "all":
        return data
    if splits is None:
        try:
            splits = assign_splits(data.labels)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
    rows = splits == SPLITS.index(split)
    if not rows.any():
        found = ", ".join(SPLITS[index] for index in np.unique(splits))
        raise FileNotFoundError(f"{path} holds the splits {found}, but no {split} with class folders")
    return _take(data, rows)


@functools.lru_cache(maxsize=4)
def _read(path: Path, version: int) -> tuple[ImageSet, np.ndarray | None]:
    """All images, and (M,) which split each is in where the path says it. `version` is a key of the cache."""
    return _from_folder(path) if path.is_dir() else (_from_npz(path), None)


def _from_arrays(images: Any, labels: Any, names: Any = None) -> ImageSet:
    images, labels = np.asarray(images), np.asarray(labels)
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
    if labels.shape != images.shape[:1]:
        raise ValueError(f"labels have shape {labels.shape}, not ({len(images)},): one for each image")
    if labels.dtype.kind not in "iu":
        raise ValueError(f"labels are {labels.dtype}, not integers: number the classes from 0 to K - 1")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= MAX_CLASSES:
        raise ValueError(f"labels lie in [{low}, {high}]: number the classes from 0 to K - 1, K at most {MAX_CLASSES}")
    names = tuple(str(k) for k in range(high + 1)) if names is None else checked_names(names, "names")
    if high >= len(names):
        raise ValueError(f"labels go up to {high}, and there are {len(names)} names: give one for each class")
    images = np.ascontiguousarray(images.transpose(0, 3, 1, 2)).view()
    labels = labels.astype(np.int64)
    images.setflags(write=False)
    labels.setflags(write=False)
    return ImageSet(images, labels, names)


def _from_npz(path: Path) -> ImageSet:
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
        return _from_arrays(images, labels, names)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _from_folder(folder: Path) -> tuple[ImageSet, np.ndarray | None]:
    own = [split for split in SPLITS if _class_folders(folder / split)]
    roots = [folder / split for split in own] or [folder]
    names = sorted({path.name for root in roots for path in _class_folders(root)})
    if not names:
        raise ValueError(f"{folder} has no class folders: put the images of each class in a folder of the class's name")

    images, labels, splits = [], [], []
    for root in roots:
        for path in _class_folders(root):
            files = sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES and _visible(file))
            if not files:
                raise ValueError(f"{path} holds no images ({', '.join(SUFFIXES)}): add some or remove the folder")
            images += [_read_image(file) for file in files]
            labels += [names.index(path.name)] * len(files)
            splits += [SPLITS.index(split) for split in own if root.name == split] * len(files)

    height, width, channels = np.max([image.shape for image in images], axis=0)
    canvas = np.zeros((len(images), height, width, channels), np.uint8)
    for target, image in zip(canvas, images, strict=True):
        h, w = image.shape[:2]
        top, left = (height - h) // 2, (width - w) // 2
        target[top : top + h, left : left + w] = image
    try:
        data = _from_arrays(canvas, labels)._replace(names=tuple(names))
    except ValueError as error:
        raise ValueError(f"{folder}: {error}") from error
    return data, np.array(splits) if own else None


def _visible(path: Path) -> bool:
    return not path.name.startswith(".")


def _class_folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_dir() and _visible(path))


def _read_image(path: Path) -> np.ndarray:
    """(h, w, 1) uint8 if the image is grey, else (h, w, 3) RGB."""
    content = np.fromfile(path, np.uint8)  # cv2.imread cannot open every path on Windows
    image = cv2.imdecode(content, cv2.IMREAD_COLOR) if content.size else None
    if image is None:
        raise ValueError(f"{path} is not an image that OpenCV can read: replace or remove it")
    if (image == image[..., :1]).all():
        return image[..., :1]
    return image[..., ::-1]
