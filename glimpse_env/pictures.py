"""Pictures of many sizes: in memory, or in files, decoded when shown and kept as far as memory is allowed."""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from glimpse_env.decoding import Header, decode, in_grey
from glimpse_env.digest import digest_of
from glimpse_env.fitting import Fitting
from glimpse_env.folders import ImageFile
from glimpse_env.notices import in_bytes
from glimpse_env.read_only import read_only

CACHE_BYTES = 2**29
"""Of decoded pictures that a process keeps, of all sets together."""


class Reading(NamedTuple):
    """How pictures are read.

    Attributes:
        fitting: the size at which they are shown.
        background: RGB in [0, 255] behind what is transparent.
    """

    fitting: Fitting
    background: tuple[int, int, int]


class PictureCache:
    """The decoded pictures that were used last, up to `CACHE_BYTES` of them."""

    def __init__(self) -> None:
        self._pictures: OrderedDict[tuple[ImageFile, Reading], np.ndarray] = OrderedDict()
        self._lock = threading.Lock()
        self.bytes = 0

    def get(self, file: ImageFile, reading: Reading) -> np.ndarray:
        """The picture in a file, (1 or 3, h, w) uint8, read-only.

        Raises:
            ValueError: where it cannot be decoded, or has changed since it was listed.
        """
        key = file, reading
        with self._lock:
            if key in self._pictures:
                self._pictures.move_to_end(key)
                return self._pictures[key]
        picture = read_only(np.ascontiguousarray(decode(file.path, *reading).transpose(2, 0, 1)))
        if ImageFile.of(Path(file.path)) != file:
            raise ValueError(f"{file.path} has changed since the folder was read: make the environment anew")
        with self._lock:
            if key not in self._pictures:
                self._pictures[key] = picture
                self.bytes += picture.nbytes
            while self.bytes > CACHE_BYTES:
                self.bytes -= self._pictures.popitem(last=False)[1].nbytes
        return picture


CACHE = PictureCache()


@dataclass(frozen=True)
class Pictures(ABC):
    """Pictures as an array (M, C, h, w) of which each has its own h and w.

    Attributes:
        sizes: (M, 2) int64, height and width, upright and as shown; read-only.
        channels: C, 1 for grey and 3 for RGB, to which pictures of the other kind are converted.
        smallest, largest: (height, width), the least and the most of each, of the pictures of all splits.
    """

    sizes: np.ndarray
    channels: int
    smallest: tuple[int, int]
    largest: tuple[int, int]

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(M, C, largest height, largest width)."""
        return len(self), self.channels, *self.largest

    def __len__(self) -> int:
        return len(self.sizes)

    def __getitem__(self, index: int) -> np.ndarray:
        """Picture number `index`, (C, h, w) uint8, read-only.

        Raises:
            ValueError: where its file cannot be decoded, or has changed since it was listed.
        """
        picture = self.picture(index)
        if len(picture) > self.channels:
            picture = in_grey(picture)
        return np.broadcast_to(picture, (self.channels, *self.sizes[index]))

    @abstractmethod
    def picture(self, index: int) -> np.ndarray:
        """Picture number `index`, (1 or 3, h, w) uint8, as it is."""

    @abstractmethod
    def room(self) -> str:
        """Where the pixels are, and what they take, in words."""

    @abstractmethod
    def digest(self) -> str:
        """A hash that tells these pictures from others."""

    @abstractmethod
    def take(self, rows: np.ndarray) -> Pictures:
        """Those of the rows that are True, (M,) bool."""


@dataclass(frozen=True)
class FilePictures(Pictures):
    """Pictures in files. A copy or pickle has no pixels.

    Attributes:
        files: M of them.
        reading: how they are read.
    """

    files: tuple[ImageFile, ...]
    reading: Reading

    def picture(self, index: int) -> np.ndarray:  # noqa: D102
        return CACHE.get(self.files[index], self.reading)

    def room(self) -> str:  # noqa: D102
        pixels = self.channels * int(self.sizes.prod(axis=1).sum())
        return f"in files ({in_bytes(pixels)}, of which a process keeps at most {in_bytes(CACHE_BYTES)})"

    def digest(self) -> str:
        """A hash of their names below the folder that holds them all, of their lengths in bytes, and of their sizes."""
        folder = os.path.commonpath([os.path.dirname(file.path) for file in self.files])
        names = [(os.path.relpath(file.path, folder), file.length) for file in self.files]
        return digest_of(names, self.sizes, (self.reading.fitting.resize, self.reading.background))

    def take(self, rows: np.ndarray) -> FilePictures:  # noqa: D102
        files = tuple(self.files[row] for row in np.flatnonzero(rows))
        return replace(self, files=files, sizes=read_only(self.sizes[rows]))


@dataclass(frozen=True)
class HeldPictures(Pictures):
    """Pictures in memory.

    Attributes:
        pictures: M of (1 or 3, h, w) uint8, read-only.
    """

    pictures: tuple[np.ndarray, ...]

    def picture(self, index: int) -> np.ndarray:  # noqa: D102
        return self.pictures[index]

    def room(self) -> str:  # noqa: D102
        return f"in memory ({in_bytes(sum(picture.nbytes for picture in self.pictures))})"

    def digest(self) -> str:  # noqa: D102
        return digest_of(*self.pictures)

    def take(self, rows: np.ndarray) -> HeldPictures:  # noqa: D102
        pictures = tuple(self.pictures[row] for row in np.flatnonzero(rows))
        return replace(self, pictures=pictures, sizes=read_only(self.sizes[rows]))


def open_pictures(files: Sequence[ImageFile], headers: Sequence[Header], reading: Reading) -> FilePictures:
    """The pictures in these files, grey if every one is, else RGB.

    Pictures are decoded only where their headers leave open whether they are grey, and no colour has been found yet.

    Raises:
        ValueError: for a file that cannot be decoded, or has changed since it was listed.
    """
    pairs = zip(files, headers, strict=True)
    grey = all(header.grey or len(CACHE.get(file, reading)) == 1 for file, header in pairs)
    sizes = [reading.fitting.shown(header.size) for header in headers]
    return FilePictures(files=tuple(files), channels=1 if grey else 3, reading=reading, **_extent(sizes))


def hold_pictures(pictures: list[np.ndarray]) -> np.ndarray | HeldPictures:
    """Pictures (h, w, 1 or 3) uint8, grey if every one is, else RGB; an array (M, C, h, w) where their size is one.

    A single one, which may be large, is not copied.
    """
    if len(pictures) == 1:
        return read_only(pictures[0].transpose(2, 0, 1)[None])
    channels = max(picture.shape[2] for picture in pictures)
    sizes = [picture.shape[:2] for picture in pictures]
    if len(set(sizes)) > 1:
        held = tuple(read_only(picture.transpose(2, 0, 1)) for picture in pictures)
        return HeldPictures(pictures=held, channels=channels, **_extent(sizes))
    images = np.empty((len(pictures), channels, *sizes[0]), np.uint8)
    for image, picture in zip(images, pictures, strict=True):
        image[:] = picture.transpose(2, 0, 1)
    return read_only(images)


def _extent(sizes: Sequence[tuple[int, ...]]) -> dict[str, Any]:
    """The attributes of `Pictures` that tell sizes."""
    array = np.array(sizes, np.int64)
    smallest, largest = (tuple(bound(array, axis=0).tolist()) for bound in (np.min, np.max))
    return {"sizes": read_only(array), "smallest": smallest, "largest": largest}
