"""What a training leaves behind: TensorBoard's curves and pictures, and the report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar.layout_pb2 import Layout
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from agents import AgentConfig, load_agent
from agents.training import loop
from agents.training.checkpoint import load_checked
from agents.training.recipe import EnvConfig, Recipe
from agents.training.trainer import Trainer
from runs.costs import multiply_adds
from runs.environments import make_env
from runs.report import report
from runs.tables.images import result_row
from runs.tables.trainings import command
from runs.training import train

VALIDATED = [80, 160, 240, 320]
"""After every tenth of forty updates of eight episodes."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a short training on noise."""
    folder = tmp_path_factory.mktemp("run")
    images = np.random.default_rng(0).integers(0, 256, (60, 8, 8), dtype=np.uint8)
    np.savez(folder / "noise.npz", images=images, labels=np.arange(60) % 3)
    env = EnvConfig("Classify-v0", images=str(folder / "noise.npz"), size=16, patch=6, scales=2, num_glimpses=3)
    recipe = Recipe("noise", env, AgentConfig(width=16, where_stream=8), episodes=8 * 40, batch=8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("agents.training.loop.VALIDATIONS", len(VALIDATED))
        train(recipe, folder / "logs", device="cpu", quiet=True)
    return folder / "logs"


def test_curves_are_in_tensorboard_under_the_usual_names(run: Path):
    events = EventAccumulator(str(run), size_guidance={"scalars": 0}).Reload()
    tags = set(events.Tags()["scalars"])
    expected = {"train/loss", "train/value_loss", "train/policy_gradient_loss", "train/learning_rate", "time/fps"}
    expected |= {"rollout/success_rate", "rollout/ep_rew_mean", "rollout/ep_len_mean", "time/total_timesteps"}
    expected |= {"eval/success_rate", "eval/mean_reward", "eval/mean_ep_length", "eval/error_by_glimpse/3"}
    expected |= {
        f"attention/{name}" for name in ("saccade_length", "coverage", "entropy", "off_image", "target_hit_rate")
    }
    assert expected <= tags
    assert not {tag for tag in tags if tag.startswith("memory/")}
    assert [event.step for event in events.Scalars("train/loss")] == [160, 320]
    assert [event.step for event in events.Scalars("eval/success_rate")] == VALIDATED
    assert events.Scalars("time/total_timesteps")[-1].value == 3 * 320
    for tag in ("attention/coverage", "attention/target_hit_rate"):
        assert all(0 <= event.value <= 1 for event in events.Scalars(tag))


def test_the_gallery_shows_the_same_episodes_at_every_validation(run: Path):
    events = EventAccumulator(str(run), size_guidance={"images": 0}).Reload()
    assert set(events.Tags()["images"]) == {"trace/0/gaze", "trace/1/gaze", "trace/2/gaze", "trace/sheet"}
    for number in range(3):
        pictures = events.Images(f"trace/{number}/gaze")
        assert [picture.step for picture in pictures] == VALIDATED
        firsts = []
        for picture in pictures:
            done, film = cv2.imdecodeanimation(np.frombuffer(picture.encoded_image_string, np.uint8))
            assert done
            assert len(film.frames) == 3 + 1  # each glimpse, and the outcome
            assert film.frames[0].shape[:2] == (picture.height, picture.width)
            firsts.append(film.frames[0][100:200, :200])  # the canvas after the first glimpse, which is at its centre
        assert all(np.array_equal(first, firsts[0]) for first in firsts)
    sheet = events.Images("trace/sheet")[-1]
    picture = cv2.imdecode(np.frombuffer(sheet.encoded_image_string, np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape[:2] == (sheet.height, sheet.width)


def test_fixations_are_counted_glimpse_by_glimpse(run: Path):
    events = EventAccumulator(str(run), size_guidance={"histograms": 0}).Reload()
    names = {f"fixations/{axis}/{glimpse}" for axis in "xy" for glimpse in ("all", "2", "3")}
    assert set(events.Tags()["histograms"]) == names
    one, both = (events.Histograms(f"fixations/x/{name}")[-1].histogram_value for name in ("2", "all"))
    assert 0 < one.num < both.num == 2 * one.num
    assert -1 <= one.min <= one.max <= 1


def test_recipe_hyperparameters_and_layout_are_in_the_one_file(run: Path):
    assert len(list(run.glob("events.out.tfevents.*"))) == 1
    assert not [path for path in run.iterdir() if path.is_dir()]
    events = EventAccumulator(str(run)).Reload()
    assert "recipe/text_summary" in events.Tags()["tensors"]
    summaries = events.PluginTagToContent("hparams")
    names = {"experiment", "session_start_info", "session_end_info"}
    assert set(summaries) == {f"_hparams_/{name}" for name in names}
    start = HParamsPluginData.FromString(summaries["_hparams_/session_start_info"])
    values = start.session_start_info.hparams
    assert values["batch"].number_value == 8
    assert values["env.id"].string_value == "Classify-v0"
    (content,) = events.Tensors("custom_scalars__config__")
    layout = Layout.FromString(content.tensor_proto.string_val[0])
    assert {category.title for category in layout.category} == {"Learning", "Gaze", "Memory"}


def test_a_run_stays_small(run: Path):
    assert sum(path.stat().st_size for path in run.iterdir()) < 20e6


def test_the_report_tells_the_errors_and_where_everything_lies(run: Path):
    text = report(run, json.loads((run / "metrics.json").read_text()), by_return=False, device="cpu")
    assert "validation error" in text
    assert "error after  3 glimpses" in text
    assert "learned gaze" in text
    assert "random gaze" in text
    assert f"--logdir {run.parent}" in text
    for name in ("agent.pt", "gaze.png", "gaze.apng"):
        assert str(run / name) in text
        assert (run / name).stat().st_size > 0


def test_the_results_table_counts_what_a_decision_costs(run: Path):
    values = load_checked(run / "agent.pt")
    recipe, agent = Recipe.from_dict(values["recipe"]), load_agent(run / "agent.pt")
    cost = multiply_adds(agent, make_env(recipe, "test", 4, "cpu"))
    seen, width, hidden, classes = 2 * 6 * 6, 16, 8, 3
    encoders, core, answer = (seen + 2) * width, 2 * width * width, width * classes
    gaze = (seen + 2 + width) * hidden + hidden * 2
    assert cost == 3 * (encoders + core + answer + gaze)
    assert command(recipe) == "(custom)"
    row = result_row("noise", {"glimpses": 3, "error": 1.234, "error_random_gaze": 5.0, "multiply_adds": cost}, agent)
    assert "**1.23**" in row
    assert f"{cost:,}" in row


def test_what_a_reader_remembers_is_drawn_and_written_at_every_validation(babi_folder: str, tmp_path: Path):
    agent = AgentConfig(width=16, core="none", memory="episodic", memory_options=("slots=9", "width=16", "hops=2"))
    env = EnvConfig("Babi-v0", arguments=(f"data={babi_folder}", "task=1"))
    train(Recipe("toy", env, agent, episodes=12, batch=4), tmp_path, device="cpu", quiet=True, projector=True)
    events = EventAccumulator(str(tmp_path), size_guidance={"images": 0, "tensors": 0}).Reload()
    assert {"memory/read_entropy", "memory/write_entropy", "memory/usage"} <= set(events.Tags()["scalars"])
    assert 0 < events.Scalars("memory/usage")[-1].value < 1
    assert 0 <= events.Scalars("memory/read_entropy")[-1].value <= np.log(9)
    for number in range(3):
        pictures, words = events.Images(f"trace/{number}/memory"), events.Tensors(f"trace/{number}/text/text_summary")
        assert [picture.step for picture in pictures] == [text.step for text in words] == [4, 8, 12]
        assert cv2.imdecode(np.frombuffer(pictures[-1].encoded_image_string, np.uint8), cv2.IMREAD_COLOR).std() > 5
        text = words[-1].tensor_proto.string_val[0].decode()
        assert "| hop 2 |" in text
        assert "?" in text
    contents = np.loadtxt(tmp_path / "00012" / "memory" / "tensors.tsv")
    labels = (tmp_path / "00012" / "memory" / "metadata.tsv").read_text().splitlines()
    assert labels[0] == "episode\tslot\tline"
    assert len(labels) - 1 == len(contents)
    assert contents.shape[1] == 16
    assert "went to the" in labels[1]


def test_a_folder_that_cannot_be_written_is_told_of_before_training(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ValueError, match=r"cannot write logs to .*file.logs .*: name another place with --folder"):
        train(Recipe("any"), tmp_path / "file" / "logs", device="cpu", quiet=True)


def test_a_folder_that_is_removed_ends_its_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written in its place, as if the training had begun there."""
    env = EnvConfig("Copy-v0", arguments=("bits=2", "max_length=2"))
    recipe = Recipe("toy", env, AgentConfig(width=8, core="lstm"), episodes=400, batch=4)
    train_update = loop.train_update

    def update(trainer: Trainer) -> Any:
        if trainer.update == 30:
            (tmp_path / "run").rename(tmp_path / "other")
        return train_update(trainer)

    monkeypatch.setattr("agents.training.loop.train_update", update)
    monkeypatch.setattr("agents.training.loop.VALIDATIONS", 1)
    with pytest.raises(FileNotFoundError, match="run was removed or renamed while a training wrote to it"):
        train(recipe, tmp_path / "run", device="cpu", quiet=True)
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


def test_a_gaze_that_has_left_the_images_is_told_of(
    tmp_path: Path, images: str, saying: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runs.validation.off_image", lambda path: 0.34)
    env = EnvConfig("Classify-v0", images=images, size=16, patch=4, num_glimpses=3)
    recipe = Recipe("toy", env, AgentConfig(width=16, where_stream=8), episodes=32, batch=32)
    with saying("toy: 34% of the fixations lie on the edge of the canvas"):
        train(recipe, tmp_path, device="cpu", quiet=True)
