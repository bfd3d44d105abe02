"""Where the bAbI files are found: a folder or an archive of one's own, the cache, a mirror; else they are generated."""

from __future__ import annotations

import functools
import lzma
import re
import tarfile
import textwrap
import zlib
from collections.abc import Iterator
from pathlib import Path

import pooch

from glimpse_env.datasets import VARIABLE, cache_folder
from glimpse_env.sources import fetch_archive

Part = tuple[int, str]
"""A file of the set: the number of its task, 1 to 20, and "train" or "test"."""

ARCHIVE = "tasks_1-20_v1-2"
"""What the released archive and its one folder are called."""

MIRRORS = (
    f"https://s3.amazonaws.com/text-datasets/babi_{ARCHIVE}.tar.gz",
    f"http://www.thespermwhale.com/jaseweston/babi/{ARCHIVE}.tar.gz",
)

PARTS: tuple[Part, ...] = tuple((task, half) for half in ("train", "test") for task in range(1, 21))

GENERATOR = "generator"
"""The place of a file that was generated."""

FILE_NAME = re.compile(r"qa(\d+)_(?:.*_)?(train|test)\.txt")


@functools.lru_cache(maxsize=2)
def find_files(data: str | None, name: str, variable: str | None) -> tuple[str, dict[Part, str]]:
    """The place of the files, and the text of each that is there.

    Args:
        data: a folder or an archive to search, and nowhere else; None searches `variable`, the cache, and mirrors.
        name: the folder of the set as released, such as "en" or "en-10k".
        variable: the folder that the environment variable GLIMPSE_DATA names, if it does.

    Returns:
        A path, or `GENERATOR` and no files where there are none.

    Raises:
        FileNotFoundError: `data` or `variable` names what does not exist, or `data` holds no such files.
        ValueError: a damaged archive, or a file that is not text, which is named.
    """
    if data is not None:
        root = Path(data).expanduser()
        if not root.exists():
            raise FileNotFoundError(f"data={data!r} does not exist: name a folder or an archive of bAbI files")
        for place in [*_places(root, name), *[root] * root.is_dir()]:
            if files := _read(place, name):
                return str(place), files
        raise FileNotFoundError(
            f"data={data!r} has no bAbI files for {name}: it must hold {name}/qa1_…_train.txt and so on, in a folder "
            f"or in an archive such as {ARCHIVE}.tar.gz"
        )
    if variable:
        own = Path(variable).expanduser()
        if not own.is_dir():
            raise FileNotFoundError(f"{VARIABLE} names {variable}, which is not a folder: correct it or unset it")
        for place in _places(own, name, archives="babi"):
            if files := _read(place, name):
                return str(place), files
    cached = cache_folder("babi") / f"{ARCHIVE}.tar.gz"
    if not cached.is_file():
        failures = _fetch(MIRRORS, cached)
        if not cached.is_file():
            pooch.get_logger().info("No mirror has the bAbI files: %s", failures)
            return GENERATOR, {}
    return str(cached), _read(cached, name)


@functools.cache
def _fetch(mirrors: tuple[str, ...], path: Path) -> str:
    """Why no mirror gave the archive; tried once per process."""
    return "; ".join(fetch_archive(mirrors, path))


def _places(root: Path, name: str, archives: str = "") -> Iterator[Path]:
    """The folders and archives in which the set `name` may lie."""
    if root.is_file():
        yield root
        return
    for base in (root / "babi", root):
        yield base / name
        yield base / ARCHIVE / name
    for base in (root / "babi", root) if not archives else (root / archives,):
        yield from sorted(path for kind in ("*.tar.*", "*.tgz", "*.tar") for path in base.glob(kind))


def _read(place: Path, name: str) -> dict[Part, str]:
    """The texts of the files in a folder, or in the folder `name` of an archive; none where there is no such place."""
    files: dict[Part, str] = {}
    for path, content in _folder(place) if place.is_dir() else _archive(place, name) if place.is_file() else ():
        match = FILE_NAME.fullmatch(path.rsplit("/", 1)[-1])
        if match is None:
            continue
        part = (int(match[1]), match[2])
        if part not in PARTS:
            raise ValueError(f"{path} in {place} names task {part[0]}, but bAbI has the tasks 1 to 20: rename it")
        if part in files:
            raise ValueError(f"{place} holds two files of task {part[0]}, {part[1]}: remove one")
        try:
            files[part] = content.decode()
        except UnicodeDecodeError as error:
            raise ValueError(f"{path} in {place} is damaged, it is not text ({error}); replace it") from error
    return files


def _folder(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.iterdir()):
        if path.is_file() and FILE_NAME.fullmatch(path.name):
            yield path.name, path.read_bytes()


def _archive(path: Path, name: str) -> Iterator[tuple[str, bytes]]:
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                folder = member.name.removeprefix("./").rpartition("/")[0].rpartition("/")[2]
                content = archive.extractfile(member) if folder in (name, "") else None
                if content is not None:
                    yield member.name, content.read()
            archive.fileobj.read(-1)  # to the end, where the checksum is
    except (tarfile.TarError, EOFError, OSError, zlib.error, lzma.LZMAError) as error:
        reason = textwrap.shorten(str(error), 100, placeholder=" …")
        raise ValueError(f"{path} is no tar archive or damaged ({reason}); replace it, or remove it") from error


@functools.cache
def generate(part: Part, questions: int) -> str:
    """The text of a generated file, always the same; train and test come from different seeds.

    Args:
        part: the file.
        questions: that it asks.

    Raises:
        ImportError: this copy of the package has no generator.
    """
    try:
        from glimpse_env.babi_generator import generate_file
    except ImportError as error:
        raise ImportError(
            f"task {part[0]} has no {part[1]} file, and glimpse_env.babi_generator is missing: set {VARIABLE} to a "
            "folder with the files in babi/, or install the package whole"
        ) from error
    task, half = part
    return generate_file(task, questions, 0 if half == "train" else 1)
