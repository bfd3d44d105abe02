"""Labelled images, and how to bring your own: arrays, an .npz file, or a folder of class folders."""

from __future__ import annotations

import os
import zipfile
import zlib
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import cv2
import numpy as np

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
MAX_CLASSES = 2**16


class ImageSet(NamedTuple):
    """Labelled images of one split. The arrays are read-only, because many environments share them.

    Attributes:
        images: (M, C, h, w) uint8; C is 1 for grey, 3 for RGB.
        labels: (M,) int64 in [0, len(names)).
        names: the class names, in the order of the labels.
    """

    images: np.ndarray
    labels: np.ndarray
    names: tuple[str, ...]


def load_images(images: Any, labels: Any = None, split: Split | None = None) -> ImageSet:
    """Your own images.

    Args:
        images: one of
            an array (N, H, W), (N, H, W, 1) or (N, H, W, 3) uint8, grey or RGB, with `labels`. The memory is
            shared, not copied: leave it unchanged as long as environments use it;
            the path of an .npz file with such arrays under the names `images` and `labels`;
            the path of a folder with one folder of images (png, jpg, jpeg, bmp, tif, tiff, webp) for each class.
            The sorted folder names are the classes. Images of differing sizes are centred on zeros of the
            largest height and width. The set is grey if every image is, else RGB.
        labels: (N,) integers from 0 to K - 1, for arrays only; the class names are then "0" to "K - 1".
        split: which of a folder's subfolders `train`, `validation` and `test` to load, where it has them and the
            class folders lie within. Classes, size and channels are those of all its splits together. Anything
            else is not split: all images belong to whichever split is asked for.

    Returns:
        At least two images, since the clutter of one image is cut from others.

    Raises:
        FileNotFoundError: the path does not exist, or the folder has no such split.
        ValueError: a wrong dtype, shape or label, or a file that cannot be read, which is named.
    """
    if split is not None and split not in SPLITS:
        raise ValueError(f"unknown split {split!r}; it is one of {', '.join(SPLITS)}")
    if not isinstance(images, (str, os.PathLike)):
        if labels is None:
            raise ValueError("images given as an array need labels=…, an integer for each image")
        return _from_arrays(images, labels)
    path = Path(images).expanduser()
    if labels is not None:
        raise ValueError(f"leave labels out: those of {path} come from the file or the class folders themselves")
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist; images is an array, an .npz file or a folder of class folders")
    if path.is_dir():
        return _from_folder(path, split)
    if path.suffix.lower() != ".npz":
        raise ValueError(f"{path} is neither a folder of class folders nor an .npz file")
    return _from_npz(path)


def _from_arrays(images: Any, labels: Any) -> ImageSet:
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
    if len(images) < 2:
        raise ValueError(f"{len(images)} image(s), but at least 2 are needed: clutter is cut from other images")
    if labels.shape != images.shape[:1]:
        raise ValueError(f"labels have shape {labels.shape}, not ({len(images)},): one for each image")
    if labels.dtype.kind not in "iu":
        raise ValueError(f"labels are {labels.dtype}, not integers: number the classes from 0 to K - 1")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= MAX_CLASSES:
        raise ValueError(f"labels lie in [{low}, {high}]: number the classes from 0 to K - 1, K at most {MAX_CLASSES}")
    images = np.ascontiguousarray(images.transpose(0, 3, 1, 2)).view()
    labels = labels.astype(np.int64)
    images.setflags(write=False)
    labels.setflags(write=False)
    return ImageSet(images, labels, tuple(str(k) for k in range(high + 1)))


def _from_npz(path: Path) -> ImageSet:
    try:
        with zipfile.ZipFile(path) as archive:
            missing = {"images.npy", "labels.npy"} - set(archive.namelist())
        if not missing:
            with np.load(path, allow_pickle=False) as arrays:
                images, labels = arrays["images"], arrays["labels"]
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{path} cannot be read as an .npz file of plain arrays ({error}); save it again") from error
    if missing:
        raise ValueError(f"{path} lacks images or labels: save it with numpy.savez(path, images=…, labels=…)")
    try:
        return _from_arrays(images, labels)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _from_folder(folder: Path, split: Split | None) -> ImageSet:
    splits = [name for name in SPLITS if _class_folders(folder / name)]
    if splits and split is None:
        raise ValueError(f"{folder} holds the splits {', '.join(splits)}: say which with split=…")
    if splits and split not in splits:
        raise FileNotFoundError(f"{folder} holds the splits {', '.join(splits)}, but no {split} with class folders")
    roots = [folder / name for name in splits] or [folder]
    wanted = folder / split if splits and split else folder
    names = sorted({path.name for root in roots for path in _class_folders(root)})
    if not names:
        raise ValueError(f"{folder} has no class folders: put the images of each class in a folder of the class's name")

    found, images = [], []
    for root in roots:
        for path in _class_folders(root):
            files = sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES and _visible(file))
            if not files:
                raise ValueError(f"{path} holds no images ({', '.join(SUFFIXES)}): add some or remove the folder")
            found += [(root, names.index(path.name))] * len(files)
            images += [_read_image(file) for file in files]

    height, width, channels = np.max([image.shape for image in images], axis=0)
    rows = [row for row, (root, _) in enumerate(found) if root == wanted]
    canvas = np.zeros((len(rows), height, width, channels), np.uint8)
    for target, row in zip(canvas, rows, strict=True):
        h, w = images[row].shape[:2]
        top, left = (height - h) // 2, (width - w) // 2
        target[top : top + h, left : left + w] = images[row]
    try:
        return _from_arrays(canvas, [found[row][1] for row in rows])._replace(names=tuple(names))
    except ValueError as error:
        raise ValueError(f"{wanted}: {error}") from error


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
