"""One image file to an array of bytes: every format, depth, alpha channel and orientation that people's files have."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from PIL import ExifTags, Image

from glimpse_env.fitting import AS_IT_IS, Fitting
from glimpse_env.notices import say_once

SUFFIXES = (
    *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".tif", ".tiff", ".webp", ".gif"),
    *(".pbm", ".pgm", ".ppm", ".pnm", ".avif", ".jp2", ".j2k"),
)
"""Of files that are read as images, in lower case. What is in a file says its format, not the suffix."""
FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "GIF", "PPM", "AVIF", "JPEG2000")
"""The readers of Pillow that may be used: others run programs (EPS) or are for no pictures."""

BACKGROUND = (128, 128, 128)
"""Behind what is transparent: on mid-grey both a black and a white figure are seen."""
GREY = ("1", "L", "I", "I;16", "I;16B", "F")
"""Pillow's modes of one channel."""
DARK = 2**12
"""A picture of 16 bits whose values are all below this is said: it may be one of 12 bits or fewer."""
FLIPS = ((1, 1), (1, -1), (-1, -1), (-1, 1))
"""Steps down and across that turn a picture upright, by EXIF's orientation from 1; from 5, after transposition."""


class Header(NamedTuple):
    """What the first bytes of an image file tell.

    Attributes:
        size: (height, width), upright.
        grey: whether it surely is a picture in grey; False where only decoding can tell.
        several: whether there are more pictures than the first: an animation, or pages.
    """

    size: tuple[int, int]
    grey: bool
    several: bool


def read_header(path: str | Path) -> Header:
    """The header of a file, which is not decoded.

    Raises:
        ValueError: where it is no image, or larger than Pillow decodes (`PIL.Image.MAX_IMAGE_PIXELS`, twice).
    """
    with _refusals(path), open(path, "rb") as file, Image.open(file, formats=FORMATS) as image:
        width, height = image.size
        several = image.format != "MPO" and bool(getattr(image, "is_animated", False))  # a photograph and its preview
        grey = image.mode in GREY and not image.has_transparency_data
        return Header((width, height) if _orientation(image, file) >= 5 else (height, width), grey, several)


def decode(path: str | Path, fitting: Fitting = AS_IT_IS, background: tuple[int, int, int] = BACKGROUND) -> np.ndarray:
    """The picture in a file, upright; the first where there are several.

    16 bits are scaled to 8 by their range, 65535 (12 bits of a TIFF by theirs), and floats from [0, 1]. 32-bit integers
    have no range that files agree on, and are refused.

    Args:
        path: of the file.
        fitting: the size of what is returned; with a canvas, where it is to be fitted to one.
        background: RGB in [0, 255] behind what is transparent.

    Returns:
        (h, w, 1) uint8 where it is grey everywhere, else (h, w, 3) RGB.

    Raises:
        ValueError: where it is no image, damaged or cut short, too large, or of numbers without a known range.
    """
    with _refusals(path):
        with open(path, "rb") as file, Image.open(file, formats=FORMATS) as image:
            image.verify()  # the checksums of a PNG, which decoding leaves out
        with open(path, "rb") as file, Image.open(file, formats=FORMATS) as image:
            orientation = _orientation(image, file)
            size = image.size if orientation >= 5 else image.size[::-1]
            height, width = fitting.scaled(size)
            if max(height, width) < max(size):  # a JPEG decodes faster at a half, a quarter or an eighth
                image.draft(None, (2 * height, 2 * width) if orientation >= 5 else (2 * width, 2 * height))
            pixels = picture_pixels(image, orientation, str(Path(path).parent), background)
    return without_colour(fitting.apply(pixels, size))


def picture_pixels(
    image: Image.Image, orientation: int, place: str, background: tuple[int, int, int] = BACKGROUND
) -> np.ndarray:
    """(h, w, 1 or 3) uint8 of an image of Pillow, upright by EXIF's orientation; `place` is where it is, in words.

    Raises:
        ValueError: for numbers without a known range; on damaged files Pillow raises nearly anything.
    """
    pixels = _pixels(image, place, background)
    down, across = FLIPS[(orientation - 1) % 4]
    return (pixels.transpose(1, 0, 2) if orientation >= 5 else pixels)[::down, ::across]


def without_colour(pixels: np.ndarray) -> np.ndarray:
    """Pixels (h, w, 1 or 3) of their own, with one channel where they are grey everywhere."""
    few = pixels[::16, ::16]  # which tell of most pictures that they are in colour
    grey = pixels.shape[2] == 1 or all((part == part[..., :1]).all() for part in (few, pixels))
    return np.ascontiguousarray(pixels[..., : 1 if grey else 3])


def in_grey(picture: np.ndarray) -> np.ndarray:
    """A picture (3, h, w) uint8 in grey, (1, h, w): the luma of ITU-R BT.601."""
    return cv2.cvtColor(np.ascontiguousarray(picture.transpose(1, 2, 0)), cv2.COLOR_RGB2GRAY)[None]


def _pixels(image: Image.Image, place: str, background: tuple[int, int, int]) -> np.ndarray:
    """(h, w, 1 or 3) uint8 of an opened image, as it lies in the file."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _deep_pixels(image, place, background)
    if image.has_transparency_data:
        canvas = Image.new("RGBA", image.size, (*background, 255))
        image = Image.alpha_composite(canvas, image.convert("RGBA"))
    pixels = np.asarray(image.convert("L" if image.mode in GREY else "RGB"))
    return pixels.reshape(*pixels.shape[:2], -1)


def _deep_pixels(image: Image.Image, place: str, background: tuple[int, int, int]) -> np.ndarray:
    """As `_pixels`, of one channel of more than 8 bits, by the range of its type."""
    values = np.asarray(image)[..., None]
    if image.mode == "F":
        if not (values.min() >= 0 and values.max() <= 1):  # nor where one is no number
            raise ValueError(f"its floats are from {values.min():g} to {values.max():g}: scale them to [0, 1]")
        return np.round(values * 255).astype(np.uint8)
    if image.mode == "I" and image.format != "PPM":
        raise ValueError("its integers have 32 bits or a sign, and so no known range: save it with 8 or 16 bits")
    high = 2 ** getattr(image, "tag_v2", {}).get(ExifTags.Base.BitsPerSample, (16,))[0] - 1
    if 0 < values.max() < DARK < high:
        say_once(
            f"{place} holds pictures of 16 bits with no value above {DARK - 1} of 65535, which are almost black "
            "in 8: if they are of 12 bits or fewer, multiply their values"
        )
    pixels = np.minimum((values.astype(np.uint32) * 255 + high // 2) // high, 255).astype(np.uint8)
    if "transparency" in image.info:  # one value, of a PNG
        return np.where(values == image.info["transparency"], np.array(background, np.uint8), pixels)
    return pixels


def _orientation(image: Image.Image, file: Any) -> int:
    """EXIF's orientation from 1 (upright) to 8, of an opened and not yet decoded image in a file; 1 where it has none.

    That of a TIFF is 1: Pillow turns it itself.
    """
    if image.format == "TIFF":
        return 1
    if image.format == "PNG" and "exif" not in image.info:
        image.info.update(_late_exif(file))
    try:
        exif = Image.Image.getexif(image)  # the method of the PNG's class would decode it
        orientation = exif.get(ExifTags.Base.Orientation, 1)
    except Exception:  # Pillow raises nearly anything on damaged EXIF data, and the picture may be whole
        return 1
    return orientation if orientation in range(1, 9) else 1


def _late_exif(file: Any) -> dict[str, bytes]:
    """The EXIF data of a PNG as an entry of Pillow's `info`, wherever it lies: it may come after the picture."""
    place, found = file.tell(), {}
    file.seek(8)
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind == b"eXIf":
            found["exif"] = b"Exif\0\0" + file.read(length)
            break
        file.seek(length + 4, 1)
    file.seek(place)
    return found


@contextmanager
def _refusals(path: str | Path) -> Iterator[None]:
    """Whatever Pillow raises is a ValueError that names the file, and what it warns of is left unsaid."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"PIL\.")
            yield
    except Exception as error:  # on damaged files Pillow raises nearly anything
        raise ValueError(f"{path} cannot be read as an image ({error}): replace or remove it") from error
