"""Datasets of other libraries as objects: (image, label) pairs, as torchvision's and Hugging Face's have them.

Neither library is imported. An object is one of these by its behaviour: it has a length, and its items are pairs
(torchvision, and `torch.utils.data.Dataset`), or dicts with an image and a label (Hugging Face `datasets`).
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping
from os import PathLike
from typing import Any, NamedTuple

import numpy as np
from PIL import ExifTags, Image

from glimpse_env.decoding import picture_pixels, without_colour
from glimpse_env.notices import in_bytes
from glimpse_env.pictures import Reading
from glimpse_env.read_only import read_only

IMAGE_KEYS = ("image", "img")
"""Of dicts: the keys under which Hugging Face's datasets of images have the image."""
LABEL_KEYS = ("label", "labels")
"""The same, of the label."""
OBJECT_BYTES = 2**30
"""Of the pictures of a dataset, as they are shown: more are not read into memory."""
SAMPLE = 100
"""Pictures after which it is known about how many bytes there will be."""


class Pairs(NamedTuple):
    """What a dataset holds.

    Attributes:
        pictures: M of (h, w, 1 or 3) uint8, as they are shown, read-only.
        labels: (M,) int64.
        names: of the classes, or None where the dataset does not know them.
    """

    pictures: list[np.ndarray]
    labels: np.ndarray
    names: tuple[str, ...] | None


class SharedDataset:
    """A dataset that `copy.deepcopy` does not copy: Gymnasium copies an environment's arguments often."""

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Any:
        return self.dataset[index]

    def __deepcopy__(self, memo: dict[int, Any] | None) -> SharedDataset:
        return self


def is_dataset(value: Any) -> bool:
    """Whether `images=` is an object of pairs: no path, array, tensor, list or dict."""
    others = (str, PathLike, list, tuple, Mapping, np.ndarray)
    known = hasattr(value, "__getitem__") and hasattr(value, "__len__") and not hasattr(value, "__array__")
    return known and not isinstance(value, others)


def check_no_stream(value: Any) -> None:
    """Refuse what holds datasets, or can only be read from its beginning.

    Raises:
        ValueError: for a dict of datasets, and an iterable without a length.
    """
    if isinstance(value, Mapping):
        raise ValueError(f"images is a dict of {', '.join(map(repr, value))}: give one of them, images=data[…]")
    if isinstance(value, Iterable) and not hasattr(value, "__len__") and not hasattr(value, "__array__"):
        raise ValueError(
            f"images is a {type(value).__name__}, which has no length: give a dataset that has (none that streams), "
            "arrays, or a folder of class folders"
        )


def read_pairs(dataset: Any, reading: Reading) -> Pairs:
    """All pictures of a dataset, each read once, as they are shown; random transforms are applied this once.

    Raises:
        ValueError: for items of another form, and more than `OBJECT_BYTES`.
    """
    if reading.fitting.fit != "pad" and reading.fitting.canvas is None:
        raise ValueError(f"fit={reading.fitting.fit!r} of a dataset needs the canvas: give size= or resize=")
    pictures, labels, taken, count = [], [], 0, len(dataset)
    for index in range(count):
        image, label = _pair(dataset[index], index)
        try:
            pixels = _pixels(image, reading.background)
        except (TypeError, ValueError) as error:
            raise ValueError(f"image {index} of the {type(dataset).__name__} cannot be shown: {error}") from error
        pictures.append(read_only(without_colour(reading.fitting.apply(pixels))))
        labels.append(_label(label, index))
        taken += pictures[-1].nbytes
        if taken > OBJECT_BYTES or (index + 1 == SAMPLE and taken * count > OBJECT_BYTES * SAMPLE):
            raise ValueError(
                f"the {count:,} images of the {type(dataset).__name__} would take about "
                f"{in_bytes(taken * count / (index + 1))} of memory, and {in_bytes(OBJECT_BYTES)} are the most: make "
                "them smaller (resize=, or fit= with size=), take some of them, or write them as files into a folder "
                "of class folders, whose pictures are read when they are shown"
            )
    return Pairs(pictures, *_numbered(labels, _names(dataset)))


def _pair(item: Any, index: int) -> tuple[Any, Any]:
    """The image and the label of an item."""
    if isinstance(item, Mapping):
        images, labels = ([key for key in keys if key in item] for keys in (IMAGE_KEYS, LABEL_KEYS))
        if not (images and labels):
            raise ValueError(
                f"item {index} has {', '.join(map(repr, item))}: name the image's column 'image' and the label's "
                "'label' (dataset.rename_column)"
            )
        return item[images[0]], item[labels[0]]
    if not isinstance(item, (tuple, list)) or len(item) != 2:
        kind = f"{type(item).__name__} of {len(item)}" if isinstance(item, (tuple, list)) else type(item).__name__
        raise ValueError(f"item {index} is a {kind}: items are pairs (image, label), or dicts with both")
    return item[0], item[1]


def _pixels(image: Any, background: tuple[int, int, int]) -> np.ndarray:
    """(h, w, 1 or 3) uint8 of a picture of Pillow, an array (h, w) or (h, w, C), or a tensor (h, w) or (C, h, w)."""
    if isinstance(image, Image.Image):
        return picture_pixels(image, image.getexif().get(ExifTags.Base.Orientation, 1), "the dataset", background)
    channels_first = hasattr(image, "permute")  # a tensor of torch
    values = np.asarray(image)
    if channels_first and values.ndim == 3:
        values = values.transpose(1, 2, 0)
    values = values[..., None] if values.ndim == 2 else values
    if values.ndim != 3 or values.shape[2] not in (1, 3, 4) or 0 in values.shape:
        form = "(C, height, width)" if channels_first else "(height, width, C)"
        raise ValueError(f"it has the shape {np.shape(image)}, not (height, width) or {form} with 1, 3 or 4 channels")
    values = _bytes(values)
    if values.shape[2] == 4:
        return picture_pixels(Image.fromarray(values), 1, "the dataset", background)
    return values


def _bytes(values: np.ndarray) -> np.ndarray:
    """Numbers of any depth as uint8, by the range of their type."""
    if values.dtype == np.uint8:
        return np.ascontiguousarray(values)
    if values.dtype == np.bool_:
        return values.astype(np.uint8) * np.uint8(255)
    if values.dtype == np.uint16:
        return ((values.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
    if values.dtype.kind != "f":
        raise ValueError(f"its numbers are {values.dtype}: give uint8, or floats from 0 to 1")
    if not (values.min() >= 0 and values.max() <= 1):  # nor where one is no number
        raise ValueError(
            f"its floats are from {values.min():g} to {values.max():g}: give floats from 0 to 1 (leave out the "
            "transform that normalises them)"
        )
    return np.round(values * 255).astype(np.uint8)


def _label(label: Any, index: int) -> int | str:
    if isinstance(label, str):
        return label
    try:
        return operator.index(label)
    except (TypeError, RuntimeError, ValueError) as error:
        raise ValueError(f"the label of item {index} is {label!r}, neither an integer nor a name") from error


def _numbered(labels: list[int | str], names: tuple[str, ...] | None) -> tuple[np.ndarray, tuple[str, ...] | None]:
    """Labels as int64; those that are names are numbered in the order of `names`, or sorted."""
    if not any(isinstance(label, str) for label in labels):
        return np.array(labels, np.int64), names
    if not all(isinstance(label, str) for label in labels):
        raise ValueError("some labels are integers and some are names: give only one kind")
    found = tuple(sorted({str(label) for label in labels}))
    names = names if names is not None and set(found) <= set(names) else found
    index = {name: number for number, name in enumerate(names)}
    return np.array([index[str(label)] for label in labels], np.int64), names


def _names(dataset: Any) -> tuple[str, ...] | None:
    """The class names: `classes` of torchvision's, also of those that a subset is of, or those of the label's feature.

    torchvision's ImageNet has several names of a class, which are joined.
    """
    features: Any
    while dataset is not None:
        if (classes := getattr(dataset, "classes", None)) is not None and not callable(classes):
            return tuple(name if isinstance(name, str) else ", ".join(map(str, name)) for name in classes)
        features = getattr(dataset, "features", None)
        for key in LABEL_KEYS if isinstance(features, Mapping) else ():
            if (names := getattr(features.get(key), "names", None)) is not None:
                return tuple(names)
        dataset = getattr(dataset, "dataset", None)
    return None
