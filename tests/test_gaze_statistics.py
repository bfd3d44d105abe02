"""What gazes and memories have in common, in numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from agents import AgentConfig, evaluate
from glimpse_env.retina import Retina
from runs.environments import make_env
from runs.recipe import EnvConfig, Recipe
from runs.recording.gaze_statistics import (
    coverage,
    fixation_entropy,
    gaze_scalars,
    hit_rate,
    saccade_length,
    story_coverage,
    target_boxes,
)
from runs.recording.memory_statistics import memory_scalars, read_entropy, usage, write_entropy
from runs.recording.recollections import Recollection
from runs.trainer import Trainer

CPU = torch.device("cpu")


def paths(*rows: list[tuple[float, ...]]) -> np.ndarray:
    return np.array(rows, np.float32)


def test_saccades_are_measured_from_fixation_to_fixation() -> None:
    assert saccade_length(paths([(0, 0), (0.3, 0.4), (0.3, 0.4)], [(0, 0), (0, 1), (0, 0)])) == pytest.approx(0.625)
    assert saccade_length(paths([(0, 0)])) == 0


def test_one_place_has_no_entropy_and_all_cells_alike_the_most() -> None:
    same = np.zeros((50, 4, 2), np.float32)
    assert fixation_entropy(same) == 0
    same[:, 0] = np.random.default_rng(0).uniform(-1, 1, (50, 2))  # the environment's choice, not the agent's
    assert fixation_entropy(same) == 0
    middles = (np.arange(4) * 2 + 1) / 4 - 1
    grid = np.stack(np.meshgrid(middles, middles), -1).reshape(1, 16, 2)
    everywhere = np.concatenate([grid[:, :1], grid], 1)
    assert fixation_entropy(everywhere, cells=4) == pytest.approx(math.log(16))
    assert fixation_entropy(paths([(0, 0), (1, 1), (-1, -1)]), cells=4) == pytest.approx(math.log(2))


@pytest.mark.parametrize("retina", [Retina((6, 4), 2), Retina((5, 7), 1), Retina((60, 60), 1)])
def test_coverage_is_what_a_count_of_pixels_says(retina: Retina) -> None:
    rng, size = np.random.default_rng(1), (17, 23)
    path = rng.uniform(-1, 1, (40, 5, 2)).astype(np.float32)
    path[0] = 1  # in a corner: most of the window lies outside
    shares = []
    for row in path:
        seen = np.zeros(size, bool)
        for x, y in row:
            left, top, right, bottom = retina.windows((x, y), size)[0]
            seen[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = True
        shares.append(seen.mean())
    assert coverage(path, size, retina) == pytest.approx(np.mean(shares), abs=1e-6)
    assert coverage(path[:1], size, retina) == pytest.approx(shares[0], abs=1e-6)


def test_a_hit_lies_in_the_box() -> None:
    path = paths([(0, 0), (-1, -1), (0, 0)], [(0, 0), (0.5, 0.5), (1, 1)])
    boxes = np.array([[0, 0, 5, 5], [12, 12, 18, 18]])
    assert hit_rate(path, boxes, (20, 20)) == 0.5  # the first fixation does not count: (0, 0) in (10, 10) misses anyway
    assert hit_rate(path[:, :1], boxes, (20, 20)) == 0


def test_the_targets_box_holds_the_image(tmp_path) -> None:
    images = np.full((6, 5, 4), 200, np.uint8)
    np.savez(tmp_path / "own.npz", images=images, labels=np.arange(6) % 3)
    env_config = EnvConfig("Classify-v0", images=str(tmp_path / "own.npz"), size=20, patch=4, num_glimpses=3)
    recipe = Recipe("own", env_config, AgentConfig(width=8, where_stream=4))
    env = make_env(recipe, "all", 4, CPU)
    numbers = np.arange(2, 6)
    env.reset(seed=[7] * 4, options={"episode": numbers})
    boxes = target_boxes(env.unwrapped.task, 7, numbers)
    for canvas, (left, top, right, bottom) in zip(env.unwrapped.canvases(), boxes, strict=True):
        assert (canvas[top:bottom, left:right] == 200).all()
        assert (canvas > 0).sum() == (right - left) * (bottom - top) == 20
    agent = Trainer.begin(recipe, env, CPU).agent
    seen: list[np.ndarray] = []
    evaluate(agent, env, 8, seed=7, witness=lambda rollout: seen.append(rollout.location.transpose(0, 1).numpy()))
    path = np.concatenate(seen)
    scalars = gaze_scalars(env, path, 7)
    assert {tag.split("/")[1] for tag in scalars} == {"saccade_length", "entropy", "coverage", "target_hit_rate"}
    boxes = target_boxes(env.unwrapped.task, 7, np.arange(8))
    assert scalars["attention/target_hit_rate"] == hit_rate(path, boxes, (20, 20))
    whole = make_env(Recipe("own", EnvConfig("Classify-v0", images=str(tmp_path / "own.npz"), patch=4)), "all", 4, CPU)
    assert "attention/target_hit_rate" not in gaze_scalars(whole, path, 7)  # the target is all there is


def test_looking_twice_at_a_line_covers_one_line() -> None:
    path = np.array([[0.75, -0.25, 0.75], [0.5, -0.5, 0.5]], np.float32)[..., None]
    assert story_coverage(path, np.array([4, 2])) == pytest.approx((2 / 4 + 2 / 2) / 2)


def test_the_lines_of_a_story_are_counted(babi_folder: str) -> None:
    recipe = Recipe("toy", EnvConfig("BabiGaze-v0", num_glimpses=3, arguments=(f"data={babi_folder}", "task=1")))
    env = make_env(recipe, "test", 2, CPU)
    env.reset(seed=[0, 0], options={"episode": np.arange(2)})
    lines = env.unwrapped.task.counts[:2].numpy()
    path = np.zeros((2, 3, 1), np.float32)  # one line of each story
    assert gaze_scalars(env, path, 0)["attention/coverage"] == pytest.approx((1 / lines).mean())


def test_a_sharp_reading_has_no_entropy() -> None:
    sharp = np.zeros((4, 2, 5))
    sharp[..., 3] = 1
    assert read_entropy(sharp) == 0
    assert read_entropy(np.full((4, 2, 5), 0.2)) == pytest.approx(math.log(5))
    assert read_entropy(np.zeros((4, 2, 5))) == 0


def test_writing_each_step_into_a_slot_of_its_own_is_even_and_fills_as_many() -> None:
    write = np.eye(3, 4)
    assert write_entropy(write) == pytest.approx(math.log(3))
    assert usage(write) == pytest.approx(3 / 4)
    again = np.zeros((3, 4))
    again[:, 1] = 0.5
    assert write_entropy(again) == 0
    assert usage(again) == pytest.approx((1 - 0.5**3) / 4)


def test_what_a_memory_has_no_weights_for_is_left_out() -> None:
    memory = Recollection(np.zeros((2, 1)), [], "", None, None, None, np.full((2, 1, 4), 0.25), 1, 1, 1.0)
    assert memory_scalars([memory]) == {"memory/read_entropy": pytest.approx(math.log(4))}
    assert memory_scalars([]) == {}
