"""What every test file may use."""

from __future__ import annotations

import http.server
import os
import re
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from glimpse_env.datasets import find_dataset
from glimpse_env.image_set import ImageSet
from glimpse_env.images import SPLITS
from glimpse_env.notices import say_once
from glimpse_env.tasks import TASKS

torch.set_num_threads(1)

NO_CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def mnist_available() -> bool:
    """Whether MNIST lies in GLIMPSE_DATA or in the cache. Tests download nothing."""
    return find_dataset("mnist")[0] is not None


@pytest.fixture(scope="session")
def needs_mnist() -> None:
    if not mnist_available():
        pytest.skip("MNIST is neither in GLIMPSE_DATA nor in the cache; `make train` fetches it")


@pytest.fixture(params=["numpy", "cpu", pytest.param("cuda", marks=[pytest.mark.cuda, NO_CUDA])])
def place(request: pytest.FixtureRequest) -> str:
    """Where arrays live: "numpy", or the torch device "cpu" or "cuda"."""
    return request.param


@pytest.fixture(params=["numpy", "cpu"])
def host_place(request: pytest.FixtureRequest) -> str:
    """As `place`, for what does not depend on the device."""
    return request.param


@pytest.fixture
def noise_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Noise of 28 x 28 pixels in ten classes in place of every named dataset; other images in each split."""

    def load(name: str, split: Any) -> ImageSet:
        rng = np.random.default_rng(SPLITS.index(split))
        images = rng.integers(1, 256, (20, 1, 28, 28), dtype=np.uint8)
        return ImageSet(images, np.arange(20) % 10, tuple("0123456789"))

    monkeypatch.setattr("glimpse_env.tasks.image_task.load_dataset", load)


SMALL: dict[str, dict[str, Any]] = {
    "Copy-v0": {"bits": 6, "max_length": 4},
    "RepeatCopy-v0": {"bits": 5, "max_length": 3, "max_repeats": 3},
    "AssociativeRecall-v0": {"rows": 2, "max_items": 3},
    "MQAR-v0": {"length": 12, "pairs": 2, "vocabulary": 300},
    "Gallery-v0": {"pictures": 3, "num_glimpses": 2, "delay": 1, "patch": (8, 10), "scales": 3},
    "SortOfCLEVR-v0": {
        **{"ask": "after", "queries": 2, "size": 30, "radius": 2, "objects": 3, "num_glimpses": 3},
        **{"patch": (4, 6), "scales": 2},
    },
    "WhatThenWhere-v0": {"delay": (1, 2), "num_glimpses": 2, "patch": (8, 10), "scales": 2},
    "Catch-v0": {"field": 10, "distractors": 1, "patch": (3, 4), "scales": 2},
    "ReadScan-v0": {"actions": 4},
    "Scan-v0": {"actions": 4, "looks": 1},
    "Transcribe-v0": {"digits": (1, 2), "looks": 1, "size": (30, 40), "patch": (6, 8), "scales": 2},
    "Megapixel-v0": {"size": 120, "side": 8, "strokes": 3, "num_glimpses": 3, "patch": (6, 8), "scenes": None},
    "Search-v0": {"items": (1, 6), "size": 48, "num_glimpses": 3, "patch": (6, 8), "scales": 2},
    "ChangeDetection-v0": {"delay": (1, 3), "num_glimpses": 2, "cell": 8, "patch": (4, 6), "scales": 2},
    "VisuomotorMapping-v0": {"trials": 3, "patch": (4, 6)},
}
"""Arguments that make short episodes of a row of `TASKS`."""


@pytest.fixture(scope="session")
def real_babi() -> str:
    """The folder in which the released bAbI files lie, in GLIMPSE_DATA or beside the repository."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    for folder in (os.environ.get("GLIMPSE_DATA"), str(beside)):
        if folder and Path(folder, "babi", "en").is_dir():
            return folder
    pytest.skip("the released bAbI files are neither in GLIMPSE_DATA nor beside the repository")


@pytest.fixture(scope="session")
def babi_folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Stories of people who walk, of one to four sentences, as the files of bAbI's task 1."""
    folder, rng = tmp_path_factory.mktemp("babi"), np.random.default_rng(0)
    people, places = ("John", "Mary", "Ann"), ("park", "school", "office", "kitchen")
    for part, stories in (("train", 30), ("test", 10)):
        lines = []
        for _ in range(stories):
            where: dict[str, tuple[str, int]] = {}
            for number in range(1, rng.integers(2, 6)):
                who, place = str(rng.choice(people)), str(rng.choice(places))
                where[who] = place, number
                lines.append(f"{number} {who} went to the {place}.")
            asked = str(rng.choice(list(where)))
            lines.append(f"{number + 1} Where is {asked}? \t{where[asked][0]}\t{where[asked][1]}")
        (folder / f"qa1_walks_{part}.txt").write_text("\n".join(lines) + "\n")
    return str(folder)


@pytest.fixture(scope="session")
def street_folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Grey streets with one or two signs, as the German Traffic Sign Detection Benchmark has them: each category has
    a colour of its own."""
    folder, rng, lines = tmp_path_factory.mktemp("gtsdb"), np.random.default_rng(0), []
    colours = {1: (255, 0, 0), 38: (0, 0, 255), 25: (255, 255, 0), 12: (0, 255, 0)}
    for number in (*range(12), *range(480, 486), *range(600, 608)):
        scene = np.full((800, 1360, 3), rng.integers(90, 130), np.uint8)
        for column in range(rng.integers(1, 3)):
            kind, size = int(rng.choice(list(colours))), int(rng.integers(80, 180))
            x, y = 680 * column + int(rng.integers(20, 450)), int(rng.integers(20, 550))
            scene[y : y + size, x : x + size] = colours[kind]
            lines.append(f"{number:05}.ppm;{x};{y};{x + size - 1};{y + size - 1};{kind}")
        Image.fromarray(scene).save(folder / f"{number:05}.png")
    (folder / "gt.txt").write_text("\n".join(lines) + "\n")
    return str(folder)


@pytest.fixture(scope="session")
def omniglot_folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Archives like those of Omniglot: alphabets of twenty characters (Hebrew has four), which four people drew as
    strokes of 12×12 pixels; two published runs."""
    folder, rng = tmp_path_factory.mktemp("omniglot"), np.random.default_rng(0)

    def drawings(count: int) -> list[bytes]:
        """One character: two strokes, which wobble from one person to the next."""
        ends = rng.integers(1, 11, (2, 2, 2))
        pictures = []
        for _ in range(count):
            picture = np.full((12, 12), 255, np.uint8)
            for start, end in ends + rng.integers(-1, 2, ends.shape):
                cv2.line(picture, start.tolist(), end.tolist(), 0)
            pictures.append(cv2.imencode(".png", picture)[1].tobytes())
        return pictures

    alphabets = {
        (name, number): drawings(4)
        for name, size in (("Early_Aramaic", 20), ("Greek", 20), ("Hebrew", 4), ("Korean", 20), ("Latin", 20))
        for number in range(1, size + 1)
    }
    for part, names in (("small1", ("Early_Aramaic", "Greek", "Hebrew", "Korean")), ("small2", ("Greek", "Latin"))):
        with zipfile.ZipFile(folder / f"images_background_{part}.zip", "w") as archive:
            for (name, number), pictures in alphabets.items():
                for who, content in enumerate(pictures if name in names else (), 1):
                    path = f"images_background_{part}/{name}/character{number:02}/{number:04}_{who:02}.png"
                    archive.writestr(path, content)
    with zipfile.ZipFile(folder / "all_runs.zip", "w") as archive:
        for run in ("run01", "run02"):
            lines = []
            for number, learned in enumerate(rng.permutation(20) + 1, 1):
                names = f"{run}/test/item{number:02}.png", f"{run}/training/class{learned:02}.png"
                for path, content in zip(names, drawings(2), strict=True):
                    archive.writestr(path, content)
                lines.append(" ".join(names))
            archive.writestr(f"{run}/class_labels.txt", "\n".join(lines) + "\n")
    return str(folder)


@pytest.fixture(scope="session")
def folders(babi_folder: str, street_folder: str, omniglot_folder: str) -> dict[str, str]:
    """Small data for the tasks that read files, by their names."""
    return {
        "Babi-v0": babi_folder,
        "BabiGaze-v0": babi_folder,
        "TrafficSigns-v0": street_folder,
        "Omniglot-v0": omniglot_folder,
    }


def plain(value: Any) -> Any:
    """Tensors as arrays, at any depth."""
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, tuple):
        return tuple(map(plain, value))
    return value.cpu().numpy() if isinstance(value, torch.Tensor) else value


def leaves(value: Any, kind: type) -> list[Any]:
    """All values of a kind in dicts and tuples, at any depth."""
    if isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, tuple):
        return [leaf for part in value for leaf in leaves(part, kind)]
    return [value] if isinstance(value, kind) else []


def without_files(arguments: tuple[str, ...]) -> tuple[str, ...]:
    """A recipe's arguments without those that ask for files of words: then words are made up."""
    return tuple(text for text in arguments if not re.match("words=|treebank=|partition=simple", text))


def id_and_arguments(name: str, folders: dict[str, str]) -> tuple[str, dict[str, Any]]:
    """The id of a row of `TASKS`, and arguments that make its episodes short and bring data of its own."""
    kwargs: dict[str, Any] = SMALL.get(name, {})
    if name == "Classify-v0":
        images = np.random.default_rng(0).integers(0, 256, (40, 10, 14, 3), dtype=np.uint8)
        kwargs = {"images": images, "labels": np.arange(40) % 4, "size": (20, 17), "patch": (4, 6), "pieces": 2}
    if name == "TrafficSigns-v0":
        kwargs = {"resize": 100, "composed": 0.5, "overview": 12, "patch": 6, "num_glimpses": 3}
    if name == "Omniglot-v0":
        kwargs = {"ways": 3, "query_glimpses": 2, "patch": (4, 6), "scales": 2}
    if name in folders:
        kwargs = {**kwargs, "data": folders[name]}
    return f"glimpse_env:Glimpse/{name}", kwargs


@pytest.fixture(params=TASKS)
def every_task(
    request: pytest.FixtureRequest, noise_digits: None, folders: dict[str, str]
) -> tuple[str, dict[str, Any]]:
    """Each row of `TASKS`: its id and arguments."""
    return id_and_arguments(request.param, folders)


@pytest.fixture(params=[name for name in TASKS if "MNIST" not in name])
def task(request: pytest.FixtureRequest, folders: dict[str, str]) -> tuple[str, dict[str, Any]]:
    """One row of `TASKS` for each class of tasks: its id and arguments."""
    return id_and_arguments(request.param, folders)


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Three classes of 8×8 figures (a bar, a column, a block), thirty of each."""
    figures = np.zeros((3, 8, 8), np.uint8)
    figures[0, 3:5], figures[1, :, 3:5], figures[2, 2:7, 2:7] = 255, 255, 160
    path = tmp_path_factory.mktemp("own") / "figures.npz"
    np.savez(path, images=figures.repeat(30, axis=0), labels=np.arange(3).repeat(30))
    return str(path)


@pytest.fixture
def saying(caplog: pytest.LogCaptureFixture) -> Callable[[str], AbstractContextManager[list[str]]]:
    """`with saying(pattern) as said:` one notice is said in the block, once, and it matches; then it is in `said`."""

    @contextmanager
    def block(pattern: str) -> Iterator[list[str]]:
        say_once.cache_clear()
        caplog.clear()
        said: list[str] = []
        yield said
        said += [record.getMessage() for record in caplog.records if record.name == "glimpse_env"]
        assert len(said) == 1, said
        assert re.search(pattern, said[0]), said

    return block


@pytest.fixture
def serve() -> Iterator[Any]:
    """Makes mirrors on this machine: `serve(files)` is the URL of one, and `serve.requests[url]` what it was asked."""
    servers: list[tuple[http.server.HTTPServer, threading.Thread]] = []

    def serve(files: dict[str, bytes]) -> str:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                serve.requests[url].append((self.command, self.path[1:]))
                body = files.get(self.path[1:])
                self.send_response(404 if body is None else 200)
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body or b"")

            do_HEAD = do_GET

            def log_message(self, *args: Any) -> None:
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        url = f"http://127.0.0.1:{server.server_port}/"
        serve.requests[url] = []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        servers.append((server, thread))
        return url

    serve.requests = {}  # type: ignore[attr-defined]
    yield serve
    for server, thread in servers:
        server.shutdown()
        server.server_close()
        thread.join()
