"""Which files of a folder are images, and of which class and split they are; and what is left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from glimpse_env.decoding import SUFFIXES

SPLIT_FOLDERS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "valid", "val"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}
"""The splits by the names that folders of them have, in lower case."""


class ImageFile(NamedTuple):
    """A file, and what changes when it is written anew.

    Attributes:
        path: absolute.
        changed: when it was last written, in nanoseconds.
        length: in bytes.
    """

    path: str
    changed: int
    length: int

    @classmethod
    def of(cls, path: Path) -> ImageFile:
        """The file at an absolute path, as it is now."""
        status = path.stat()
        return cls(str(path), status.st_mtime_ns, status.st_size)


class Listing(NamedTuple):
    """The image files of a folder: hashable, and another one where files have changed.

    Attributes:
        folder: absolute.
        names: of the classes, sorted.
        files: in the order of the splits, the classes and their paths.
        labels: of each file, a number of `names`.
        splits: of each file, "train", "validation" or "test"; () where the folder has none.
        left_out: what is not read, in words.
    """

    folder: Path
    names: tuple[str, ...]
    files: tuple[ImageFile, ...]
    labels: tuple[int, ...]
    splits: tuple[str, ...]
    left_out: tuple[str, ...]


def list_images(folder: Path) -> Listing:
    """The images of a folder of class folders, or of one of splits with class folders in them.

    All that lies in a class folder is of its class, in folders within it too. What is hidden (".name") is passed over.

    Raises:
        ValueError: where no class folder holds an image.
    """
    own: dict[str, list[Path]] = {split: [] for split in ("train", "validation", "test")}
    for path in _folders(folder):
        split = SPLIT_FOLDERS.get(path.name.lower())
        if split and _folders(path):
            own[split].append(path)
    roots = [(path, split) for split, paths in own.items() for path in paths] or [(folder, "")]
    beside = [path for path in _visible(folder) if path not in [root for root, _ in roots]] if roots[0][1] else []
    found, others, linked, deep, empty = [], [], [], [], set()
    for root, split in roots:
        beside += [path for path in _visible(root) if not path.is_dir()]
        for path in _folders(root):
            if path.resolve() in (root.resolve(), *root.resolve().parents):
                linked.append(path)
                continue
            files = sorted(_files_below(path, linked))
            images = [file for file in files if file.suffix.lower() in SUFFIXES and file.is_file()]
            others += sorted(set(files) - set(images))
            deep += [file for file in images if file.parent != path]
            found += [(path.name, split, file) for file in images]
            empty |= {path.name} if not images else set()
    names = sorted({name for name, _, _ in found})
    if not names:
        raise ValueError(
            f"{folder} has no class folders with images ({' '.join(SUFFIXES)}): put the images of each class in a "
            "folder of the class's name"
        )
    index = {name: label for label, name in enumerate(names)}
    left_out = (
        note("left out, as no images by their suffix", others, folder),
        note("left out beside the class folders", beside, folder),
        note("left out, as links to folders", linked, folder),
        note("no classes, as folders without images", [folder / name for name in sorted(empty - index.keys())], folder),
        note("of their class folder, as images in folders within it", deep, folder),
    )
    return Listing(
        folder,
        tuple(names),
        tuple(ImageFile.of(file) for _, _, file in found),
        tuple(index[name] for name, _, _ in found),
        tuple(split for _, split, _ in found if split),
        tuple(note for note in left_out if note),
    )


def note(what: str, paths: Sequence[Path], folder: Path) -> str:
    """What there is, how often, and the first of the paths below a folder; "" for none."""
    first = ", ".join(str(path.relative_to(folder)) for path in paths[:3])
    return f"{what}: {len(paths)} ({first}{', …' if len(paths) > 3 else ''})" if paths else ""


def _files_below(folder: Path, linked: list[Path]) -> Iterator[Path]:
    """The visible files in a folder and in those within it; links to folders are added to `linked`."""
    for path in _visible(folder):
        if path.is_dir() and path.is_symlink():  # which may lead round in a circle
            linked.append(path)
        elif path.is_dir():
            yield from _files_below(path, linked)
        else:
            yield path


def _visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _folders(folder: Path) -> list[Path]:
    return [path for path in _visible(folder) if path.is_dir()]
