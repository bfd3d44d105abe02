"""A training's latest trace in a browser page that refreshes itself: `python -m runs.watch runs/logs/<run> --live`.

It is drawn from the weights that the training writes at each validation, and only while the page is open: the training
itself does no more work than without.
"""

from __future__ import annotations

import html
import json
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import torch

from agents.nearest import nearest_file
from agents.training.checkpoint import load_checked

PORT = 6007
"""TensorBoard's own is 6006."""

REFRESH = 2
"""Seconds between two questions of the page whether there is anything new."""

WAITING: dict[str, Any] = {"version": None, "status": "waiting for the first validation …", "errors": []}
"""The page's first state: `version` of the picture, `status` in words, `errors` as (episodes, percent)."""

Draw = Callable[[Path, Path], Any]
"""Draws the checkpoint at the first path to the second."""

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Glimpse · @run@</title><style>
body {background: #0e1117; color: #e9edf3; font: 16px system-ui, sans-serif; margin: 24px}
h1 {font-size: 22px; margin: 0} p {color: #8e97a7; margin: 6px 0 16px} img {max-width: 100%} svg {display: block}
</style></head><body><h1>@run@</h1><p id="status">waiting for the first validation …</p>
<svg id="curve" width="640" height="120" hidden><polyline fill="none" stroke="#34c48c" stroke-width="2"/>
<text x="4" y="14" fill="#8e97a7" font-size="12"></text></svg>
<img id="trace" alt="the latest trace" hidden>
<script>
let shown = null
async function refresh() {
  try {
    const state = await (await fetch("state.json", {cache: "no-store"})).json()
    document.getElementById("status").textContent = state.status
    if (state.version !== null && state.version !== shown) {
      const image = document.getElementById("trace")
      image.src = "trace.png?" + state.version
      image.hidden = false
      shown = state.version
      const errors = state.errors, top = Math.max(...errors.map(point => point[1]), 1e-9), last = errors.at(-1)
      if (errors.length > 1) {
        const points = errors.map(([x, y]) => [x / last[0] * 630 + 5, 115 - y / top * 95].join(","))
        document.querySelector("#curve polyline").setAttribute("points", points.join(" "))
        document.querySelector("#curve text").textContent =
          "validation error: " + errors[0][1].toFixed(2) + " % → " + last[1].toFixed(2) + " %"
        document.getElementById("curve").removeAttribute("hidden")
      }
    }
  } catch { document.getElementById("status").textContent = "the watcher has stopped: start it again" }
  setTimeout(refresh, @refresh@)
}
refresh()
</script></body></html>
"""


def find_run(place: str | Path) -> Path:
    """The folder of a run: `place` itself, that of a weight file, or the newest run in a folder of runs.

    Raises:
        FileNotFoundError: where there is no run.
    """
    place = Path(place)
    if place.is_file():
        return place.parent
    if any(place.glob("events.out.tfevents.*")) or (place / "agent.pt").is_file():
        return place
    runs = [event.parent for event in place.glob("*/events.out.tfevents.*")]
    if not runs:
        hint = (
            nearest_file(place) or ": name the folder that a training writes to, such as runs/logs/<run>, or runs/logs"
        )
        raise FileNotFoundError(f"no run at {place}{hint}")
    return max(runs, key=lambda run: max(event.stat().st_mtime for event in run.glob("events.out.tfevents.*")))


def latest(run: Path, draw: Draw, out: Path, before: dict[str, Any]) -> dict[str, Any]:
    """The page's state after the state `before`: the weights are drawn to `out` where they have changed."""
    weights = run / "agent.pt"
    version = weights.stat().st_mtime_ns if weights.is_file() else None
    if version == before["version"]:
        return before
    try:
        draw(weights, out)
        training, errors = load_checked(weights).get("training", {}), validation_errors(run)
    except (ValueError, FileNotFoundError) as error:
        return {**before, "status": f"error: {error}"}
    status = (
        f"{training.get('episodes', 0):,} episodes · {training.get('seconds', 0) / 60:.1f} minutes · "
        f"least validation error {training.get('validation_error', float('nan')):.4g}"
    )
    return {"version": version, "status": status, "errors": errors}


def validation_errors(run: Path) -> list[tuple[int, float]]:
    """(episodes, percent) of every validation so far, from the run's TensorBoard curves."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    kept = {"images": 1, "tensors": 1, "scalars": 0}
    events = EventAccumulator(str(run), size_guidance=kept).Reload()
    if "eval/success_rate" not in events.Tags()["scalars"]:
        return []
    return [(event.step, 100 * (1 - event.value)) for event in events.Scalars("eval/success_rate")]


def make_server(run: Path, draw: Draw, port: int, folder: Path) -> ThreadingHTTPServer:
    """A server, on this machine alone, of the page's files in `folder`: each question about its state renews them.

    Raises:
        ValueError: where the port is in use, or may not be used.
    """
    page = PAGE.replace("@run@", html.escape(run.resolve().name)).replace("@refresh@", str(1000 * REFRESH))
    (folder / "index.html").write_text(page, encoding="utf-8")
    state, lock = dict(WAITING), threading.Lock()

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            # no file is read while it is written; a page that was closed meanwhile wants no answer
            with lock, suppress(ConnectionError):
                if self.path == "/state.json":
                    state.update(latest(run, draw, folder / "trace.png", state))
                    (folder / "state.json").write_text(json.dumps(state), encoding="utf-8")
                super().do_GET()

        def log_message(self, *args: Any) -> None:
            """Nothing: a line for each question of the page would bury what matters."""

    try:
        return ThreadingHTTPServer(("127.0.0.1", port), partial(Handler, directory=str(folder)))
    except (OSError, OverflowError) as error:
        raise ValueError(f"port {port} cannot be used ({error}): choose another with --port") from error


def serve(place: str | Path, draw: Draw, *, port: int = PORT) -> None:
    """Serve the latest trace of the run at `place`, see `find_run`, until Ctrl-C.

    Raises:
        FileNotFoundError: where there is no run.
        ValueError: where the port is in use.
    """
    run = find_run(place)
    torch.set_num_threads(1)  # the training needs the others
    with tempfile.TemporaryDirectory() as folder, make_server(run, draw, port, Path(folder)) as server:
        print(f"{run} at http://127.0.0.1:{server.server_port}/   (Ctrl-C ends it)", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()
