"""MNIST, Fashion-MNIST and KMNIST by name. Your own images: `load_images`."""

from __future__ import annotations

import functools
import gzip
import math
import os
import zlib
from pathlib import Path

import numpy as np
import pooch

from glimpse_env.image_set import ImageSet
from glimpse_env.images import Split, check_split, load_images
from glimpse_env.locks import exclusive
from glimpse_env.notices import from_home, say_once
from glimpse_env.read_only import read_only
from glimpse_env.sources import FILES, SOURCES, cached_files, fetch

__all__ = ["ImageSet", "Split", "find_dataset", "load_dataset", "load_images", "read_idx", "split_rows"]

VARIABLE = "GLIMPSE_DATA"
"""The environment variable that names the first folder to search."""


@functools.cache
def load_dataset(name: str, split: Split) -> ImageSet:
    """One split of a named set, read once per process.

    Searched in this order: the folder `name` in the folder that the environment variable GLIMPSE_DATA names, with
    the four original files, packed (.gz) or not; the cache; where an operating system's package puts it; public
    mirrors, each file checked by its hash and then cached.

    Args:
        name: "mnist", "fashion_mnist" or "kmnist".
        split: "train" (the first 55,000 training images), "validation" (the last 5,000) or "test" (10,000).

    Returns:
        (M, 1, 28, 28) uint8 images, read-only, with labels and class names.

    Raises:
        FileNotFoundError: found nowhere; the message lists every place tried, and why it failed.
        ValueError: an unknown name or split, or a damaged file, which is named.
    """
    if name not in SOURCES:
        raise ValueError(f"unknown dataset {name!r}; known are {', '.join(SOURCES)} (your own images: load_images)")
    check_split(split)
    images, labels, folder = _read_part(name, test=split == "test")
    rows = split_rows(split, len(labels))
    return ImageSet(images[rows], labels[rows], SOURCES[name].names, f"{name} in {from_home(folder)}")


def split_rows(split: Split, count: int) -> slice:
    """The rows of a split among `count` test or training images, the last twelfth of which is for validation.

    Raises:
        ValueError: too few training images for both splits.
    """
    if split == "test":
        return slice(0, count)
    held_out = count // 12
    if not held_out:
        raise ValueError(f"{count} training images are too few to hold some out for validation; 12 are the least")
    return slice(0, count - held_out) if split == "train" else slice(count - held_out, count)


def find_dataset(name: str) -> tuple[tuple[Path, ...] | None, list[str]]:
    """The four files of a named set on this machine, without any download.

    Returns:
        Their paths in the order of `FILES`, or None; and a line for each place that lacks them.

    Raises:
        FileNotFoundError: GLIMPSE_DATA names a folder that does not exist.
    """
    tried: list[str] = []
    own = os.environ.get(VARIABLE)
    if own:
        if not Path(own).expanduser().is_dir():
            raise FileNotFoundError(f"{VARIABLE} names {own}, which is not a folder: correct it or unset it")
        files, missing = _files_in(Path(own).expanduser() / name)
        if not missing:
            return files, tried
        tried.append(f"{VARIABLE}, {Path(own) / name}: {missing}")
    else:
        tried.append(f"{VARIABLE}: not set")
    cache = cache_folder(name)
    cached = cached_files(SOURCES[name], cache)
    if cached:
        return cached, tried
    tried.append(f"cache, {cache}: {_files_in(cache)[1] or 'holds a damaged file'}")
    for folder in SOURCES[name].folders:
        files, missing = _files_in(Path(folder))
        if not missing:
            return files, tried
        tried.append(f"{folder}: {missing}")
    return None, tried


def cache_folder(name: str) -> Path:
    """Where the downloads of a named set are kept."""
    return Path(pooch.os_cache("glimpse")) / name


def release_folders(name: str, data: str | os.PathLike[str] | None) -> list[Path]:
    """The folders that the files of a published set are sought in, which nobody downloads.

    Args:
        name: of its folder in the one that GLIMPSE_DATA names, and in the cache.
        data: the only place to look, in place of both.
    """
    if data is not None:
        return [Path(data).expanduser()]
    own = os.environ.get(VARIABLE)
    return [*([Path(own).expanduser() / name] if own else []), cache_folder(name)]


def read_idx(path: Path) -> np.ndarray:
    """The array in an IDX file of unsigned bytes, packed by gzip or not.

    Raises:
        ValueError: the file is damaged, cut short, or of another kind.
    """
    content = path.read_bytes()
    try:
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path} is damaged ({error}); replace it, or remove it to have it downloaded") from error
    start = 4 + 4 * content[3] if len(content) > 3 else 4
    if content[:3] != b"\0\0\x08" or len(content) < start:
        raise ValueError(f"{path} is not an IDX file of unsigned bytes; replace it, or remove it to have it downloaded")
    shape = tuple(int(size) for size in np.frombuffer(content, ">u4", content[3], offset=4))
    if len(content) != start + math.prod(shape):
        raise ValueError(
            f"{path} has {len(content):,} bytes, but by its header {start + math.prod(shape):,}: it is cut short or "
            "damaged; replace it, or remove it to have it downloaded"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


@functools.cache
def _read_part(name: str, test: bool) -> tuple[np.ndarray, np.ndarray, Path]:
    """Images (N, 1, h, w) uint8 and labels (N,) int64 of the training or the test files, and the folder of these."""
    files = _obtain(name)
    image_file, label_file = files[2:] if test else files[:2]
    images, labels = read_idx(image_file), read_idx(label_file)
    if images.ndim != 3 or labels.shape != images.shape[:1]:
        raise ValueError(
            f"{image_file} and {label_file} hold arrays of shapes {images.shape} and {labels.shape}, "
            "not (N, height, width) and (N,): they do not belong together"
        )
    classes = len(SOURCES[name].names)
    if labels.size and labels.max() >= classes:
        raise ValueError(f"{label_file} has the label {labels.max()}, but {name} has {classes} classes, from 0")
    return images[:, None], read_only(labels.astype(np.int64)), image_file.parent


def _obtain(name: str) -> tuple[Path, ...]:
    files, tried = find_dataset(name)
    if files is None:
        with exclusive(cache_folder(name)):  # where another process downloads it, its files are there after that
            files = cached_files(SOURCES[name], cache_folder(name))
            if files is None:
                tried += fetch(SOURCES[name], cache_folder(name))
                files = cached_files(SOURCES[name], cache_folder(name))
    if files is not None:
        say_if_elsewhere(name, files[0].parent)
    if files is None:
        places = "\n".join(f"  {place}" for place in tried)
        raise FileNotFoundError(
            f"{name} was found in none of these places:\n{places}\nSet {VARIABLE} to a folder with a folder {name} "
            f"that holds {', '.join(FILES)} (packed as .gz or not), or connect to the internet and try again."
        )
    return files


def say_if_elsewhere(name: str, place: Path) -> None:
    """Say so where a set was not found in the folder that GLIMPSE_DATA names, but in another place."""
    own = os.environ.get(VARIABLE)
    if own and not place.is_relative_to(Path(own).expanduser()):
        say_once(f"{name}: not in {own}, which {VARIABLE} names; taken from {place}")


def _files_in(folder: Path) -> tuple[tuple[Path, ...], str]:
    """The four files in a folder, under any of their usual names, and what is missing ("" if nothing)."""
    if not folder.is_dir():
        return (), "no such folder"
    found = []
    for file in FILES:
        dotted = file.replace("-idx", ".idx")
        paths = [folder / name for name in (file, f"{file}.gz", dotted, f"{dotted}.gz")]
        found += [path for path in paths if path.is_file()][:1]
        if not found or found[-1] not in paths:
            return (), f"lacks {file}"
    return tuple(found), ""
