"""TensorBoard serves what a training logs, and its page shows the traces."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import headless_browser
import numpy as np
import pytest
from torch.utils.tensorboard import SummaryWriter

from glimpse_env.retina import Retina
from runs.traces.animation import animation
from runs.traces.encoding import encode_apng, encode_png, within
from runs.traces.tensorboard_media import LIMIT, add_contents, add_encoded, add_traces, flattened, spread
from runs.traces.trace import Trace

ROOT = Path(__file__).parents[1]
STEPS = range(0, 300, 20)
"""More validations than TensorBoard keeps unless it is told to."""


def trace_of(canvas: np.ndarray, glimpses: int = 3) -> Trace:
    """An episode on this canvas (H, W, C) that no agent played."""
    rng = np.random.default_rng(0)
    path = rng.uniform(-0.9, 0.9, (glimpses, 2)).astype(np.float32)
    seen = rng.random((glimpses, 2, canvas.shape[2], 6, 6), dtype=np.float32)
    beliefs = rng.dirichlet(np.ones(3), glimpses).astype(np.float32)
    answer, retina = beliefs[-1:].argmax(-1), Retina((6, 6), 2)
    return Trace(
        0, "glimpse", seen, answer, np.array([1]), beliefs, ("a", "b", "c"), path=path, canvas=canvas, retina=retina
    )


def with_memory(trace: Trace) -> Trace:
    """The same, each step written into a slot of its own, and the first recalled."""
    steps = len(trace.seen)
    read = np.zeros((steps, 2, steps))
    read[..., 0] = 1
    contents = np.arange(4.0 * steps).reshape(steps, 4)
    return trace._replace(read=read, write=np.eye(steps), gate=np.ones(steps), step=np.arange(steps), contents=contents)


def story_of(lines: tuple[str, ...]) -> Trace:
    """A story that was read, and its memory."""
    seen, certain = np.zeros((len(lines), 5), np.int64), np.ones((1, 1), np.float32)
    answer = np.zeros(1, np.int64)
    trace = Trace(0, "tokens", seen, answer, answer, certain, ("home",), lines=lines, question="where is mary ?")
    return with_memory(trace)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a TensorBoard, started as `make watch` does, on a run of images and one of a story."""
    logs = tmp_path_factory.mktemp("logs")
    runs = {
        "toy": [with_memory(trace_of(np.full((20, 20, 1), 90, np.uint8)))],
        "story": [story_of(("mary went home", "john slept"))],
    }
    for name, traces in runs.items():
        with SummaryWriter(str(logs / name)) as writer:
            for step in STEPS:
                add_traces(writer, traces, step, name)
    (options,) = re.findall(r"tensorboard --logdir runs/logs (.*)", (ROOT / "Makefile").read_text())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(logs), *options.split()]
    where = ["--host", "127.0.0.1", "--port", str(port)]
    with open(logs / "said", "wb") as said:
        server = subprocess.Popen([*command, *where], stdout=said, stderr=said)
    try:
        address = f"http://127.0.0.1:{port}"
        for _ in range(240):
            assert server.poll() is None, (logs / "said").read_text()
            try:
                if {"toy", "story"} == ask(address, "images/tags").keys() == ask(address, "text/tags").keys():
                    break
            except OSError:
                pass
            time.sleep(0.5)
        yield address
    finally:
        server.terminate()
        server.wait(30)


def ask(address: str, what: str, **query: Any) -> Any:
    """What TensorBoard tells in JSON."""
    with urllib.request.urlopen(f"{address}/data/plugin/{what}?{urllib.parse.urlencode(query)}", timeout=30) as reply:
        return json.loads(reply.read())


def test_every_validation_is_kept_and_animations_are_served_as_such(page: str) -> None:
    assert set(ask(page, "images/tags")["toy"]) == {"trace/0/gaze", "trace/0/memory", "trace/sheet"}
    shown = ask(page, "images/images", run="toy", tag="trace/0/gaze", sample=0)
    assert [picture["step"] for picture in shown] == list(STEPS)
    with urllib.request.urlopen(f"{page}/data/plugin/images/individualImage?{shown[-1]['query']}", timeout=30) as reply:
        assert reply.headers["Content-Type"] == "image/png"
        content = reply.read()
    done, film = cv2.imdecodeanimation(np.frombuffer(content, np.uint8))
    assert done
    assert len(film.frames) == 4


def test_the_words_are_served_as_a_table_at_every_validation(page: str) -> None:
    (tag,) = ask(page, "text/tags")["story"]
    texts = ask(page, "text/text", run="story", tag=tag)
    assert [text["step"] for text in texts] == list(STEPS)
    assert "<td><strong>mary went home</strong></td>" in texts[-1]["text"]
    assert "<td>john slept</td>" in texts[-1]["text"]


SHOWN = """JSON.stringify([...document.querySelectorAll("image-card")].map(card => [
    card.querySelector("tb-truncated-path")?.title,
    card.querySelector("img")?.complete && card.querySelector("img").naturalWidth]))"""
"""The cards of the page: each with its tag and the width of the picture that has been loaded and decoded."""


def test_the_page_shows_the_traces(page: str, tmp_path: Path) -> None:
    browser = headless_browser.find_browser()
    if browser is None:
        pytest.skip("no Chromium or Chrome to look at the page with")
    with headless_browser.opened(browser, f"{page}/?tagFilter=trace#timeseries", tmp_path / "profile") as view:
        loaded = f"(cards => cards.length == 4 && cards.every(card => card[1] > 0))(JSON.parse({SHOWN}))"
        assert view.wait_for(loaded), view.run(SHOWN)
        cards = json.loads(view.run(SHOWN))
        picture = cv2.imdecode(np.frombuffer(view.screenshot(), np.uint8), cv2.IMREAD_COLOR)
    assert {tag for tag, _ in cards} == {"trace/0/gaze", "trace/0/memory", "trace/sheet"}
    assert picture.std() > 5


def test_photographs_are_logged_in_fewer_colours_or_smaller() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (120, 120, 3), dtype=np.uint8)
    trace = trace_of(photo)
    assert len(animation([trace])) > LIMIT
    content = animation([trace], limit=LIMIT)
    assert len(content) <= LIMIT
    done, film = cv2.imdecodeanimation(np.frombuffer(content, np.uint8))
    assert done
    assert len(film.frames) == 4


def test_what_is_small_enough_stays_as_it_is() -> None:
    frames = [np.full((20, 30, 3), value, np.uint8) for value in (7, 201)]
    done, film = cv2.imdecodeanimation(
        np.frombuffer(within(LIMIT, lambda shown: encode_apng(shown, [100, 300]), frames), np.uint8)
    )
    assert done
    for drawn, decoded in zip(frames, film.frames, strict=True):
        np.testing.assert_array_equal(decoded[..., 2::-1], drawn)
    assert list(film.durations) == [100, 300]


def test_twenty_validations_of_the_largest_pictures_stay_below_20_megabytes() -> None:
    assert 20 * (3 + 3 + 1) * LIMIT < 20e6


def test_the_episodes_are_spread_over_all() -> None:
    assert spread(3, 1000).tolist() == [0, 333, 666]
    assert spread(3, 2).tolist() == [0, 0, 1]


def test_only_pictures_are_logged_as_pictures(tmp_path: Path) -> None:
    with SummaryWriter(str(tmp_path)) as writer:
        add_encoded(writer, "a", encode_png(np.zeros((2, 3, 3), np.uint8)), 0)
        with pytest.raises(ValueError, match="what is logged as b is no picture"):
            add_encoded(writer, "b", b"no picture", 0)


def test_hyperparameters_are_flat_and_plain() -> None:
    nested = {"name": "toy", "env": {"id": "x", "size": None}, "options": ("a=1", "b=2"), "lr": 0.1, "on": True}
    assert flattened(nested) == {"name": "toy", "env.id": "x", "options": "a=1 b=2", "lr": 0.1, "on": True}


def test_contents_are_labelled_with_what_was_seen(tmp_path: Path) -> None:
    trace = story_of(("mary went home", "john slept"))
    with SummaryWriter(str(tmp_path)) as writer:
        add_contents(writer, [trace, trace._replace(step=np.array([1, -1]))], 0)
    (labels,) = tmp_path.rglob("metadata.tsv")
    assert labels.read_text().splitlines() == [
        "episode\tslot\tline",
        "0\t1\tmary went home",
        "0\t2\tjohn slept",
        "1\t1\tjohn slept",
    ]


def test_a_single_glimpse_does_not_move(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    added: list[str] = []
    monkeypatch.setattr("runs.traces.tensorboard_media.add_encoded", lambda _, tag, *__: added.append(tag))
    with SummaryWriter(str(tmp_path)) as writer:
        add_traces(writer, [trace_of(np.full((20, 20, 1), 90, np.uint8), glimpses=1)], 0)
        assert not added
        add_traces(writer, [trace_of(np.full((20, 20, 1), 90, np.uint8), glimpses=2)], 0)
    assert added == ["trace/0/gaze", "trace/sheet"]
