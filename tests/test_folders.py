"""Which files of a folder are read, as what, and what is said of the others."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from glimpse_env.folders import Listing, list_images
from glimpse_env.images import load_images


def save(path: Path, grey: int = 9) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (3, 2), grey).save(path)


def shown(listing: Listing) -> list[tuple[str, str]]:
    """The class and the path below the folder of each image."""
    paths = [Path(file.path).relative_to(listing.folder).as_posix() for file in listing.files]
    return [(listing.names[label], path) for label, path in zip(listing.labels, paths, strict=True)]


@pytest.mark.parametrize("suffix", ["gif", "ppm", "avif", "jfif", "jp2", "png", "JPG", "webp", "tiff", "bmp"])
def test_every_usual_suffix_is_read(tmp_path: Path, suffix: str) -> None:
    save(tmp_path / "cat" / f"a.{suffix}", 200)
    data = load_images(tmp_path)
    assert data.images.shape == (1, 1, 2, 3)
    np.testing.assert_allclose(data.images[0], 200, atol=2)


def test_folders_within_a_class_folder_are_of_its_class(tmp_path: Path) -> None:
    for place in ("cat/b.png", "cat/16/a.png", "cat/16/more/z.png", "dog/16/a.png"):
        save(tmp_path / place)
    listing = list_images(tmp_path)
    assert listing.names == ("cat", "dog")
    within = [("cat", "cat/16/a.png"), ("cat", "cat/16/more/z.png")]
    assert sorted(shown(listing)) == [*within, ("cat", "cat/b.png"), ("dog", "dog/16/a.png")]
    (note,) = listing.left_out
    assert note.startswith("of their class folder, as images in folders within it: 3 (cat/16/a.png, ")


@pytest.mark.parametrize("name", ["val", "valid", "validation", "Val"])
def test_the_usual_names_of_validation(tmp_path: Path, name: str) -> None:
    for split in ("train", name, "test"):
        save(tmp_path / split / "cat" / f"{split}.png")
    listing = list_images(tmp_path)
    assert listing.splits == ("train", "validation", "test")
    assert [path for _, path in shown(listing)] == [f"{split}/cat/{split}.png" for split in ("train", name, "test")]
    assert listing.left_out == ()
    assert len(load_images(tmp_path, split="validation").images) == 1


def test_a_class_without_images_in_one_split_is_a_class(tmp_path: Path) -> None:
    save(tmp_path / "train" / "cat" / "a.png")
    save(tmp_path / "train" / "dog" / "a.png")
    save(tmp_path / "val" / "cat" / "a.png")
    (tmp_path / "val" / "dog").mkdir()
    listing = list_images(tmp_path)
    assert listing.names == ("cat", "dog")
    assert listing.left_out == ()


def test_what_is_left_out_is_said_once(tmp_path: Path, saying: Any) -> None:
    for name in "abcde":
        (tmp_path / "cat").mkdir(exist_ok=True)
        (tmp_path / "cat" / f"{name}.heic").touch()
    for place in ("cat/100%.png", "loose.png", "cat/.hidden.png", ".cache/a.png"):
        save(tmp_path / place)
    (tmp_path / "empty").mkdir()
    (tmp_path / "cat" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    with saying(str(tmp_path)) as said:
        data = load_images(tmp_path)
    assert data.names == ("cat",)
    assert len(data.images) == 1
    for part in (
        "no images by their suffix: 6 (cat/a.heic, cat/b.heic, cat/c.heic, …)",
        "beside the class folders: 1 (loose.png)",
        "folders without images: 1 (empty)",
    ):
        assert part in said[0]
    assert load_images(tmp_path) is data  # and nothing is said again


def test_folders_beside_the_splits_are_said(tmp_path: Path) -> None:
    for place in ("train/cat/a.png", "extra/cat/a.png"):
        save(tmp_path / place)
    assert list_images(tmp_path).left_out == ("left out beside the class folders: 1 (extra)",)


def test_a_file_named_by_percent_is_said(tmp_path: Path, saying: Any) -> None:
    save(tmp_path / "cat" / "a.png")
    (tmp_path / "cat" / "100%s.txt").touch()
    with saying(r"cat/100%s.txt"):
        load_images(tmp_path)


def test_a_folder_called_like_an_image_is_a_folder(tmp_path: Path) -> None:
    save(tmp_path / "cat.png" / "b.png" / "a.png")
    assert shown(list_images(tmp_path)) == [("cat.png", "cat.png/b.png/a.png")]


def test_links_lead_nowhere_twice(tmp_path: Path) -> None:
    """A class folder may be a link; one that leads round in a circle is left out, and so are links further below."""
    save(tmp_path / "elsewhere" / "a.png")
    save(tmp_path / "own" / "cat" / "a.png")
    own = tmp_path / "own"
    (own / "dog").symlink_to(tmp_path / "elsewhere")
    (own / "all").symlink_to(own)
    (own / "cat" / "up").symlink_to(own)
    (own / "self").symlink_to(own / "self")
    listing = list_images(own)
    assert shown(listing) == [("cat", "cat/a.png"), ("dog", "dog/a.png")]
    assert "left out, as links to folders: 2 (all, cat/up)" in listing.left_out


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    save(tmp_path / "cat" / "a.png")
    os.mkfifo(tmp_path / "cat" / "b.png")  # whoever opens it waits
    listing = list_images(tmp_path)
    assert shown(listing) == [("cat", "cat/a.png")]
    assert "cat/b.png" in listing.left_out[0]


def test_several_pictures_in_a_file_are_said(tmp_path: Path, saying: Any) -> None:
    first, second = Image.new("L", (3, 2), 50), Image.new("L", (3, 2), 250)
    (tmp_path / "cat").mkdir()
    for name in ("a.gif", "b.tif", "c.webp", "d.png"):
        first.save(tmp_path / "cat" / name, save_all=True, append_images=[second], duration=100)
    with saying(r"the first is shown: 4 \(cat/a.gif, cat/b.tif, cat/c.webp, …\)"):
        data = load_images(tmp_path)
    np.testing.assert_allclose(data.images, 50, atol=1)
