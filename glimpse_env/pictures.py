"""Pictures of many sizes that stay in their files: decoded when shown, and kept as far as memory is allowed."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from glimpse_env.decoding import Header, decode, in_grey, shrunk
from glimpse_env.digest import digest_of
from glimpse_env.folders import ImageFile
from glimpse_env.read_only import read_only

CACHE_BYTES = 2**29
"""Of decoded pictures that a process keeps, of all sets together."""


class Reading(NamedTuple):
    """How pictures are read.

    Attributes:
        resize: the longest side in pixels, to which larger pictures are shrunk; None leaves them as they are.
        background: RGB in [0, 255] behind what is transparent.
    """

    resize: int | None
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
class Pictures:
    """Pictures in files, as an array (M, C, h, w) of which each has its own h and w. A copy or pickle has no pixels.

    Attributes:
        files: M of them.
        sizes: (M, 2) int64, height and width, upright and shrunk; read-only.
        reading: how they are read.
        channels: C, 1 for grey and 3 for RGB, to which pictures of the other kind are converted.
        smallest, largest: (height, width), the least and the most of each, of the pictures of all splits.
    """

    files: tuple[ImageFile, ...]
    sizes: np.ndarray
    reading: Reading
    channels: int
    smallest: tuple[int, int]
    largest: tuple[int, int]

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(M, C, largest height, largest width)."""
        return len(self.files), self.channels, *self.largest

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> np.ndarray:
        """Picture number `index`, (C, h, w) uint8, read-only.

        Raises:
            ValueError: where its file cannot be decoded, or has changed since it was listed.
        """
        picture = CACHE.get(self.files[index], self.reading)
        if len(picture) > self.channels:
            picture = in_grey(picture)
        return np.broadcast_to(picture, (self.channels, *self.sizes[index]))

    def digest(self) -> str:
        """A hash of their names below the folder that holds them all, of their lengths in bytes, and of their sizes."""
        folder = os.path.commonpath([os.path.dirname(file.path) for file in self.files])
        names = [(os.path.relpath(file.path, folder), file.length) for file in self.files]
        return digest_of(names, self.sizes, tuple(self.reading))

    def take(self, rows: np.ndarray) -> Pictures:
        """Those of the rows that are True, (M,) bool."""
        files = tuple(self.files[row] for row in np.flatnonzero(rows))
        return replace(self, files=files, sizes=read_only(self.sizes[rows]))


def open_pictures(files: Sequence[ImageFile], headers: Sequence[Header], reading: Reading) -> Pictures:
    """The pictures in these files, grey if every one is, else RGB.

    Pictures are decoded only where their headers leave open whether they are grey, and no colour has been found yet.

    Raises:
        ValueError: for a file that cannot be decoded, or has changed since it was listed.
    """
    pairs = zip(files, headers, strict=True)
    grey = all(header.grey or len(CACHE.get(file, reading)) == 1 for file, header in pairs)
    sizes = np.array([shrunk(header.size, reading.resize) for header in headers], np.int64)
    smallest, largest = (tuple(bound(sizes, axis=0).tolist()) for bound in (np.min, np.max))
    return Pictures(tuple(files), read_only(sizes), reading, 1 if grey else 3, smallest, largest)
