"""Files as people have them: what each shows, and that a damaged one is refused."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from glimpse_env import decoding
from glimpse_env.decoding import decode, read_header
from glimpse_env.fitting import Fitting, shrunk

RED, BLACK = (200, 0, 0), (0, 0, 0)
RAMP = np.add.outer(np.arange(24) * 5, np.arange(20) * 6).astype(np.uint8)
COLOURS = np.stack([RAMP, RAMP[::-1], 255 - RAMP], axis=-1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "picture.png"


def save(path: Path, image: Any, format: str = "PNG", **options: Any) -> None:
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(path, format, **options)


@pytest.mark.parametrize("format", ["PNG", "BMP", "PPM", "TIFF", "WEBP", "JPEG2000"])
@pytest.mark.parametrize("image", [RAMP, COLOURS], ids=["grey", "rgb"])
def test_what_is_kept_without_loss_is_read_without_loss(path: Path, format: str, image: np.ndarray) -> None:
    save(path, image, format, **({"lossless": True} if format == "WEBP" else {}))
    np.testing.assert_array_equal(decode(path), image.reshape(24, 20, -1))
    assert read_header(path).size == (24, 20)


def test_a_jpeg_is_read_as_by_opencv(path: Path) -> None:
    for image in (RAMP, COLOURS):
        save(path, image, "JPEG")  # by its content: the suffix is wrong
        expected = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        np.testing.assert_array_equal(decode(path), expected[..., : 1 if image.ndim == 2 else 3])


def test_a_picture_with_equal_channels_is_grey(path: Path) -> None:
    save(path, np.stack([RAMP] * 3, axis=-1))
    assert decode(path).shape == (24, 20, 1)
    assert not read_header(path).grey  # which its header cannot tell
    save(path, RAMP)
    assert read_header(path).grey


# Depth


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_by_their_range(path: Path, format: str) -> None:
    deep = np.arange(0, 65536, 7, dtype=np.uint16)[None]
    save(path, deep, format)
    np.testing.assert_array_equal(decode(path)[..., 0], np.round(deep / 257))
    colour = (COLOURS.astype(np.uint16) * 257)[..., ::-1]
    cv2.imwrite(str(path.with_suffix(f".{format.lower()}")), colour)
    np.testing.assert_array_equal(decode(path.with_suffix(f".{format.lower()}")), COLOURS)


def test_a_deep_ppm_is_scaled_by_its_own_maximum(path: Path) -> None:
    path.write_bytes(b"P5 3 1 1023\n" + np.array([0, 512, 1023], ">u2").tobytes())
    assert decode(path).ravel().tolist() == [0, 128, 255]


def test_twelve_bits_of_a_tiff_are_scaled_by_their_range(path: Path) -> None:
    save(path, np.zeros((1, 2), np.uint16), "TIFF")
    content = path.read_bytes()
    tag = struct.pack("<HHI", 258, 3, 1)
    assert content.count(tag + struct.pack("<I", 16)) == 1
    content = content.replace(tag + struct.pack("<I", 16), tag + struct.pack("<I", 12))
    (strip,) = Image.open(io.BytesIO(content)).tag_v2[273]
    path.write_bytes(content[:strip] + bytes([0xFF, 0xF8, 0x00]) + content[strip + 3 :])  # 4095, 2048
    assert decode(path).ravel().tolist() == [255, 128]


def test_sixteen_bits_that_are_almost_black_are_said_once_a_folder(path: Path, saying: Any) -> None:
    save(path, np.array([[0, 4095]], np.uint16))
    with saying(f"{path.parent} holds pictures of 16 bits with no value above 4095"):
        assert decode(path).ravel().tolist() == [0, 16]
    decode(path)
    save(path.with_name("black.png"), np.zeros((2, 2), np.uint16))
    decode(path.with_name("black.png"))


def test_floats_are_from_zero_to_one(path: Path) -> None:
    save(path, np.array([[0, 0.25, 1]], np.float32), "TIFF")
    assert decode(path).ravel().tolist() == [0, 64, 255]
    for wrong in (1.5, -0.1, np.nan):
        save(path, np.array([[0, wrong]], np.float32), "TIFF")
        with pytest.raises(ValueError, match=r"picture.png cannot be read .* scale them to \[0, 1\]"):
            decode(path)


def test_integers_without_a_known_range_are_refused(path: Path) -> None:
    save(path, np.array([[0, 70000]], np.int32), "TIFF")
    with pytest.raises(ValueError, match="no known range: save it with 8 or 16 bits"):
        decode(path)


def test_bits_and_inks(path: Path) -> None:
    save(path, Image.fromarray(RAMP > 100))
    np.testing.assert_array_equal(decode(path)[..., 0], np.where(RAMP > 100, 255, 0))
    save(path, Image.new("CMYK", (4, 4), (0, 255, 255, 0)), "JPEG")
    np.testing.assert_allclose(decode(path), np.broadcast_to([255, 0, 0], (4, 4, 3)), atol=2)


# What is transparent


def half(mode: str, opaque: Any, clear: Any) -> Image.Image:
    """A picture of two pixels, of which the right one is transparent."""
    image = Image.new(mode, (2, 1), opaque)
    image.putpixel((1, 0), clear)
    return image


def palette() -> Image.Image:
    image = Image.new("P", (2, 1), 0)
    image.putpalette([*RED, 0, 0, 0])
    image.putpixel((1, 0), 1)
    return image


@pytest.mark.parametrize(
    ("image", "options", "expected"),
    [
        (half("RGBA", (*RED, 255), (9, 9, 9, 0)), {}, RED),
        (half("LA", (0, 255), (0, 0)), {}, BLACK),
        (palette(), {"transparency": 1}, RED),
        (palette(), {"transparency": bytes([255, 0])}, RED),
        (half("RGB", RED, (1, 2, 3)), {"transparency": (1, 2, 3)}, RED),
        (half("L", 0, 7), {"transparency": 7}, BLACK),
        (half("I;16", 0, 700), {"transparency": 700}, BLACK),
    ],
    ids=["RGBA", "LA", "palette", "palette with alphas", "RGB key", "grey key", "deep key"],
)
def test_what_is_transparent_shows_the_background(path: Path, image: Any, options: Any, expected: Any) -> None:
    save(path, image, **options)
    for background in ((128, 128, 128), (10, 20, 30)):
        pixels = decode(path, background=background)
        assert [np.broadcast_to(pixel, 3).tolist() for pixel in pixels[0]] == [list(expected), list(background)]
    assert not read_header(path).grey


def test_a_black_and_a_white_figure_are_seen_by_default(path: Path) -> None:
    for figure in (0, 255):
        save(path, half("LA", (figure, 255), (figure, 0)))
        assert decode(path).ravel().tolist() == [figure, 128]


def test_half_transparent_is_half_the_background(path: Path) -> None:
    save(path, Image.new("RGBA", (1, 1), (200, 100, 0, 128)))
    np.testing.assert_allclose(decode(path, background=(0, 0, 0)).ravel(), [100, 50, 0], atol=1)


# Orientation


def late_exif(content: bytes) -> bytes:
    """A PNG whose EXIF data comes after the picture."""
    start = content.index(b"eXIf") - 4
    (length,) = struct.unpack(">I", content[start : start + 4])
    chunk = content[start : start + 12 + length]
    rest = content.replace(chunk, b"")
    return rest[:-12] + chunk + rest[-12:]


@pytest.mark.parametrize("format", ["PNG", "late PNG", "JPEG", "TIFF", "WEBP", "AVIF"])
@pytest.mark.parametrize("resize", [None, 12])
def test_a_turned_picture_is_upright(path: Path, format: str, resize: int | None) -> None:
    for orientation in range(10):
        exif = Image.Exif()
        exif[0x0112] = orientation
        save(path, COLOURS, format.split()[-1], exif=exif)
        if format.startswith("late"):
            path.write_bytes(late_exif(path.read_bytes()))
        with Image.open(path) as image:
            expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
        size = shrunk(expected.shape[:2], resize)
        assert decode(path, Fitting(resize)).shape[:2] == size, orientation
        assert shrunk(read_header(path).size, resize) == size, orientation
        if resize is None:
            np.testing.assert_array_equal(decode(path), expected, f"orientation {orientation}")


def test_damaged_exif_data_does_not_hide_the_picture(path: Path) -> None:
    save(path, COLOURS, exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x05broken")
    np.testing.assert_array_equal(decode(path), COLOURS)


# Size


def test_a_picture_is_shrunk_by_averages_over_areas_and_never_enlarged(path: Path) -> None:
    save(path, COLOURS)
    means = COLOURS.reshape(6, 4, 5, 4, 3).astype(float).mean((1, 3))
    np.testing.assert_allclose(decode(path, Fitting(6)), means, atol=0.51)
    np.testing.assert_array_equal(decode(path, Fitting(24)), COLOURS)
    np.testing.assert_array_equal(decode(path, Fitting(100)), COLOURS)


def test_sizes_keep_their_proportions_and_a_pixel_at_the_least() -> None:
    assert shrunk((400, 300), 100) == (100, 75)
    assert shrunk((1, 5000), 256) == (1, 256)
    assert shrunk((256, 3), 256) == (256, 3)


def test_a_large_jpeg_is_shrunk_in_the_decoder_to_nearly_the_same(path: Path) -> None:
    rows, columns = np.mgrid[:800, :600] / 40
    smooth = np.stack([np.sin(rows), np.cos(columns), np.sin(rows + columns)], axis=-1)
    image = (127.5 + 100 * smooth).astype(np.uint8)
    save(path, image, "JPEG", quality=95)
    expected = cv2.resize(image, (75, 100), interpolation=cv2.INTER_AREA).astype(int)
    assert np.abs(decode(path, Fitting(100)) - expected).max() <= 5


def test_one_pixel_is_a_picture(path: Path) -> None:
    save(path, Image.new("RGB", (1, 1), RED))
    assert decode(path, Fitting(1)).tolist() == [[list(RED)]]


def png_of(width: int, height: int) -> bytes:
    """A PNG of black pixels, which is short whatever its size."""
    pack = zlib.compressobj(9)
    rows = b"".join(pack.compress(bytes(1 + (width + 7) // 8)) for _ in range(height)) + pack.flush()
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)), (b"IDAT", rows), (b"IEND", b"")]
    parts = [struct.pack(">I", len(body)) + kind + body for kind, body in chunks]
    ends = [struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(part + end for part, end in zip(parts, ends, strict=True))


def test_what_pillow_calls_a_bomb_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    path.write_bytes(png_of(50, 41))
    for read in (read_header, decode):
        with pytest.raises(ValueError, match=r"picture.png cannot be read as an image \(Image size \(2050 pixels\)"):
            read(path)
    path.write_bytes(png_of(50, 39))  # of which Pillow would only warn
    assert decode(path, Fitting(10)).shape == (8, 10, 1)


# Damage


@pytest.mark.parametrize("content", [b"", b"text", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"])
def test_what_is_no_image_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    for read in (read_header, decode):
        with pytest.raises(ValueError, match=r"picture.png cannot be read as an image"):
            read(path)


@pytest.mark.parametrize("options", [{}, {"progressive": True}], ids=str)
@pytest.mark.parametrize("resize", [None, 6])
def test_a_jpeg_cut_short_is_refused(path: Path, options: Any, resize: int | None) -> None:
    """And not filled up with grey."""
    save(path, COLOURS, "JPEG", **options)
    content = path.read_bytes()
    for length in (len(content) // 2, len(content) * 3 // 4, len(content) - 3):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match=r"cannot be read as an image"):
            decode(path, Fitting(resize))


def test_a_damaged_png_never_shows_another_picture(path: Path) -> None:
    save(path, COLOURS)
    content, refused = path.read_bytes(), 0
    for place in range(8, len(content), 5):
        for damaged in (content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :], content[:place]):
            path.write_bytes(damaged)
            try:
                np.testing.assert_array_equal(decode(path), COLOURS)  # a damaged end mark does no harm
            except ValueError:
                refused += 1
    assert refused >= 2 * (len(content) - 8) // 5 - 4


@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "TIFF", "WEBP", "PPM", "BMP", "AVIF", "JPEG2000"])
def test_whatever_is_damaged_is_refused_or_read(path: Path, monkeypatch: pytest.MonkeyPatch, format: str) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10_000)  # a damaged size may be large, and takes its time
    rng, exif = np.random.default_rng(0), Image.Exif()
    exif[0x0112] = 6
    save(path, COLOURS, format, **({"exif": exif} if format in ("PNG", "JPEG", "WEBP", "AVIF") else {}))
    content = path.read_bytes()
    refused = 0
    for _ in range(60):
        damaged = bytearray(content)
        for place in rng.integers(len(content), size=rng.integers(1, 4)):
            damaged[place] ^= 1 << rng.integers(8)
        path.write_bytes(damaged[: rng.choice([len(content), rng.integers(len(content))])])
        try:
            header = read_header(path)
            assert decode(path).shape[:2] == header.size
        except ValueError as error:
            refused += str(error).startswith(f"{path} cannot be read as an image (") or pytest.fail(str(error))
    assert 20 < refused <= 60


def test_the_readers_are_those_that_the_suffixes_name() -> None:
    Image.init()
    known = {suffix: format for suffix, format in Image.EXTENSION.items() if format in decoding.FORMATS}
    assert set(decoding.SUFFIXES) - {".jfif", ".jpe"} <= known.keys()
