"""What a training leaves behind: TensorBoard's curves and pictures, and the report."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from agents import AgentConfig
from agents.checkpoint import load_checked
from runs.recipes import EnvConfig, Recipe
from runs.report import report
from runs.results import command, multiply_adds, result_row
from runs.train import train


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a short training on noise."""
    folder = tmp_path_factory.mktemp("run")
    images = np.random.default_rng(0).integers(0, 256, (60, 8, 8), dtype=np.uint8)
    np.savez(folder / "noise.npz", images=images, labels=np.arange(60) % 3)
    env = EnvConfig("Classify-v0", images=str(folder / "noise.npz"), size=16, patch=6, scales=2, num_glimpses=3)
    recipe = Recipe("noise", env, AgentConfig(width=16, where_stream=8), episodes=8 * 40, batch=8)
    train(recipe, folder, device="cpu", quiet=True)
    return folder


def test_curves_and_pictures_are_in_tensorboard(run: Path):
    events = EventAccumulator(str(run), size_guidance={"scalars": 0, "images": 0, "tensors": 0}).Reload()
    tags = events.Tags()
    expected = {"train/loss", "train/value_loss", "train/learning_rate", "rollout/success_rate", "eval/success_rate"}
    expected |= {"attention/saccade_length", "time/fps", "eval/error_by_glimpse/3"}
    assert expected <= set(tags["scalars"])
    assert [event.step for event in events.Scalars("train/loss")] == [160, 320]
    assert len(events.Scalars("eval/success_rate")) == 20
    pictures = events.Images("trace/gaze")
    assert len(pictures) == 20
    picture = cv2.imdecode(np.frombuffer(pictures[-1].encoded_image_string, np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape[:2] == (pictures[-1].height, pictures[-1].width)
    assert "recipe/text_summary" in tags["tensors"]


def test_a_run_stays_small(run: Path):
    assert sum(path.stat().st_size for path in run.iterdir()) < 20e6


def test_the_report_tells_the_errors_and_where_everything_lies(run: Path):
    text = report(run, device="cpu")
    assert "error after  3 glimpses" in text
    assert "learned gaze" in text
    assert "random gaze" in text
    assert f"--logdir {run.parent}" in text
    for name in ("agent.pt", "gaze.png", "gaze.apng"):
        assert str(run / name) in text
        assert (run / name).stat().st_size > 0


def test_the_results_table_counts_what_a_decision_costs(run: Path):
    from agents import load_agent
    from runs.environments import make_env

    values = load_checked(run / "agent.pt")
    recipe, agent = Recipe.from_dict(values["recipe"]), load_agent(run / "agent.pt")
    cost = multiply_adds(agent, make_env(recipe, "test", 4, "cpu"))
    seen, width, hidden, classes = 2 * 6 * 6, 16, 8, 3
    glimpse_net, core, answer = (seen + 2) * width, 2 * width * width, width * classes
    gaze = (seen + 2 + width) * hidden + hidden * 2
    assert cost == 3 * (glimpse_net + core + answer + gaze)
    assert command(recipe) == "(custom)"
    row = result_row("noise", {"glimpses": 3, "error": 1.234, "error_random_gaze": 5.0}, agent, cost)
    assert "**1.23**" in row
    assert f"{cost:,}" in row
