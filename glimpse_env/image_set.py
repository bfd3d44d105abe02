"""Labelled images in memory or in files, and the names of their classes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np

from glimpse_env.decoding import in_grey
from glimpse_env.fitting import Fitting
from glimpse_env.free_memory import free_on_host
from glimpse_env.notices import in_bytes, say_once
from glimpse_env.pictures import Pictures
from glimpse_env.read_only import read_only


class ImageSet(NamedTuple):
    """Labelled images of one split. The arrays are read-only, because many environments share them.

    Attributes:
        images: (M, C, h, w) uint8; C is 1 for grey, 3 for RGB. Of a folder of many sizes, or a large one, `Pictures`:
            they are decoded when they are shown.
        labels: (M,) int64 in [0, len(names)).
        names: the class names, in the order of the labels.
        source: where they were found, in words.
        full_sizes: (M, 2) int64, height and width of pictures in files before they were shrunk; None of other images.
    """

    images: np.ndarray | Pictures
    labels: np.ndarray
    names: tuple[str, ...]
    source: str = "arrays"
    full_sizes: np.ndarray | None = None

    def take(self, rows: np.ndarray) -> ImageSet:
        """Those of the rows that are True, (M,) bool."""
        images = self.images.take(rows) if isinstance(self.images, Pictures) else read_only(self.images[rows])
        full_sizes = None if self.full_sizes is None else read_only(self.full_sizes[rows])
        return self._replace(images=images, labels=read_only(self.labels[rows]), full_sizes=full_sizes)

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
        if isinstance(classes, Integral) and not isinstance(classes, bool):
            found = len(self.names)
            if classes < found:
                raise ValueError(f"classes={classes}, but the labels name {found} classes")
            names = self.names + tuple(str(label) for label in range(found, int(classes)))
            return self._replace(names=checked_names(names, "classes"))
        names = checked_names(classes, "classes")
        index = {name: label for label, name in enumerate(names)}
        shown = [self.names[label] for label in np.unique(self.labels)]
        unknown = [name for name in shown if name not in index]
        if unknown:
            raise ValueError(
                f"there are images of the classes {unknown}, which are not among {list(names)}{self._how_to_name()}"
            )
        labels = np.array([index.get(name, -1) for name in self.names], np.int64)[self.labels]
        return self._replace(labels=read_only(labels), names=names)

    def _how_to_name(self) -> str:
        """What to do where the classes have no names but their numbers; "" where they have."""
        if self.names != tuple(map(str, range(len(self.names)))):
            return ""
        if self.source == "arrays" or self.source.endswith(" object"):
            return ": name the classes by names="
        return ": give the .npz an array `names`" if self.source.lower().endswith(".npz") else ""

    def with_channels(self, channels: int | None) -> ImageSet:
        """The same images in grey (1) or in RGB (3); None leaves them as they are. That they were converted is said.

        Raises:
            ValueError: for another number.
        """
        if channels not in (None, 1, 3):
            raise ValueError(f"channels must be 1 (grey), 3 (RGB) or None (as the images are), got {channels!r}")
        if channels is None or channels == self.images.shape[1]:
            return self
        say_once("Images in RGB are shown in grey." if channels == 1 else "Grey images are shown in RGB.")
        if isinstance(self.images, Pictures):
            return self._replace(images=replace(self.images, channels=channels))
        if channels == 1:
            return self._replace(images=read_only(np.stack([in_grey(image) for image in self.images])))
        return self._replace(images=read_only(self.images.repeat(3, axis=1)))

    def fitted(self, fitting: Fitting) -> ImageSet:
        """The same images, an array, at the size at which they are to be shown.

        Raises:
            ValueError: where that is more than the free memory holds.
        """
        assert isinstance(self.images, np.ndarray)
        height, width = self.images.shape[2:]
        fitting = fitting.for_sizes([(height, width)])
        if (size := fitting.shown((height, width))) == (height, width):
            return self
        shape = (*self.images.shape[:2], *size)
        if (needed := math.prod(shape)) > (free := free_on_host()):
            raise ValueError(
                f"{len(self.images):,} images of {size[0]}×{size[1]} pixels take {in_bytes(needed)}, and "
                f"{in_bytes(free)} of memory are free: make them smaller (size=, resize=), or give fewer"
            )
        images = np.empty(shape, np.uint8)
        for shown, image in zip(images, self.images, strict=True):
            shown[:] = fitting.apply(image.transpose(1, 2, 0)).transpose(2, 0, 1)
        return self._replace(images=read_only(images))


def checked_names(names: Any, argument: str) -> tuple[str, ...]:
    """The names of classes, given as the argument so called.

    Raises:
        ValueError: where they are no sequence of different strings.
    """
    known = () if isinstance(names, str) or not np.iterable(names) else tuple(names)
    if not known or not all(isinstance(name, str) for name in known):
        raise ValueError(f"{argument} must be the names of the classes, such as ('cat', 'dog'), got {names!r}")
    repeated = sorted(name for name, count in Counter(known).items() if count > 1)
    if repeated:
        raise ValueError(f"{argument} must be different names, and {repeated} occur more than once")
    return tuple(map(str, known))  # NumPy's strings too
