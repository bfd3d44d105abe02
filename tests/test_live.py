"""`python -m runs.watch --live`: the page, what it asks for, and what is said of a wrong folder or port."""

from __future__ import annotations

import json
import os
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from agents import AgentConfig
from agents.training.recipe import EnvConfig, Recipe
from runs.live import find_run, make_server, validation_errors
from runs.training import train
from runs.watch import main, watch


@pytest.fixture(scope="module")
def run(images: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a short training."""
    folder = tmp_path_factory.mktemp("logs") / "toy<1>"
    env = EnvConfig("Classify-v0", images=images, size=24, patch=6, scales=2, num_glimpses=2)
    recipe = Recipe("toy", env, AgentConfig(width=16, where_stream=8), episodes=8 * 4, batch=8)
    train(recipe, folder, device="cpu", quiet=True)
    return folder


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[object]:
    """`serve(run, draw)` is the URL of a server on a free port."""
    running, folder = [], tmp_path / "page"
    folder.mkdir()

    def serve(run: Path, draw: Callable[[Path, Path], object]) -> str:
        server = make_server(run, draw, 0, folder)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        running.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}"

    yield serve
    for server, thread in running:
        server.shutdown()
        server.server_close()
        thread.join()


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=60) as answer:
        return answer.read()


def test_the_page_shows_the_latest_trace(run: Path, serve) -> None:
    drawn = []

    def draw(checkpoint: Path, out: Path) -> None:
        drawn.append(checkpoint)
        watch(checkpoint, out, episodes=1, device="cpu")

    url = serve(run, draw)
    page = get(url + "/").decode()
    assert "toy&lt;1&gt;" in page
    assert "state.json" in page
    assert not drawn  # nothing is drawn until the page asks
    state = json.loads(get(url + "/state.json"))
    assert len(state["errors"]) == 4
    assert state["errors"] == [list(pair) for pair in validation_errors(run)]
    assert "32 episodes" in state["status"]
    picture = cv2.imdecode(np.frombuffer(get(f"{url}/trace.png?{state['version']}"), np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape[0] > 100
    assert json.loads(get(url + "/state.json"))["version"] == state["version"]
    assert len(drawn) == 1
    weights = run / "agent.pt"
    os.utime(weights, ns=(0, weights.stat().st_mtime_ns + 1))
    assert json.loads(get(url + "/state.json"))["version"] == state["version"] + 1
    assert len(drawn) == 2
    with pytest.raises(urllib.error.HTTPError, match="404") as caught:
        get(url + "/agent.pt")
    caught.value.close()


def test_it_waits_for_the_first_validation_and_survives_a_damaged_file(tmp_path: Path, serve) -> None:
    url = serve(tmp_path, watch)
    assert json.loads(get(url + "/state.json")) == {
        "version": None, "status": "waiting for the first validation …", "errors": []
    }  # fmt: skip
    with pytest.raises(urllib.error.HTTPError, match="404") as caught:
        get(url + "/trace.png")
    caught.value.close()
    (tmp_path / "agent.pt").write_bytes(b"damaged")
    assert "is damaged" in json.loads(get(url + "/state.json"))["status"]


def test_a_run_is_found_by_its_folder_its_weights_or_as_the_newest(run: Path, tmp_path: Path) -> None:
    assert find_run(run) == find_run(run / "agent.pt") == find_run(run.parent) == run
    for name, time in (("old", 1), ("new", 3), ("older", 2)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "events.out.tfevents.1").touch()
        os.utime(tmp_path / name / "events.out.tfevents.1", (time, time))
    assert find_run(tmp_path) == tmp_path / "new"


def test_it_says_what_is_wrong(run: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"error: no run at .*none: name the folder"):
        main([str(tmp_path / "none"), "--live"])
    with make_server(run, watch, 0, tmp_path) as server, pytest.raises(SystemExit, match=r"error: port .*--port"):
        main([str(run), "--live", "--port", str(server.server_port)])
    with pytest.raises(SystemExit, match="error: port 70000"):
        main([str(run), "--live", "--port", "70000"])
    with pytest.raises(SystemExit, match=r"error: say where to draw, --out gaze\.png"):
        main([str(run / "agent.pt")])
