"""Heat maps: their mathematics against loops, and `python -m runs.heatmap`."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from agents import AgentConfig, evaluate, make_agent
from agents.evaluation import play
from agents.training.checkpoint import save_atomically
from agents.training.recipe import EnvConfig, Recipe
from agents.training.trainer import Trainer
from agents.trajectory import Trajectory
from runs.environments import make_env, sample_episodes
from runs.heatmap import heatmap, main
from runs.traces.fixations import LONGEST, Fixations, cells_for, fixation_density, fixations_of, heat_maps
from runs.traces.heat import joined
from runs.traces.heat_pictures import colour_bar, colours, heat_panel
from runs.traces.story_attention import (
    StoryAttention,
    around_support,
    attention_of,
    from_the_end,
    on_question_words,
    on_words,
)

CPU = torch.device("cpu")


def save_agent(recipe: Recipe, path: Path) -> Path:
    """The weight file of an agent that never trained."""
    trainer = Trainer.begin(recipe, make_env(recipe, "train", 2, CPU), CPU)
    save_atomically(trainer.best_agent("a machine"), path)
    return path


@pytest.fixture
def looker(images: str, tmp_path: Path) -> Path:
    env = EnvConfig("Classify-v0", images=images, size=24, patch=6, scales=2, num_glimpses=3)
    return save_agent(Recipe("toy", env, AgentConfig(width=16, where_stream=8)), tmp_path / "agent.pt")


def story_recipe(babi_folder: str, id: str, **agent: Any) -> Recipe:
    config = AgentConfig(**{"width": 16, "core": "none", "memory": "episodic", **agent})
    return Recipe("story", EnvConfig(id, arguments=(f"data={babi_folder}",)), config)


def watched_attention(agent: Any, env: Any, episodes: np.ndarray, **options: Any) -> StoryAttention:
    played = list(play(agent, env, episodes, **options))
    found = joined([attention_of(env, 0, trajectory) for trajectory, _ in played])
    return StoryAttention(*(values[: len(episodes)] for values in found))


def test_a_density_is_a_sum_of_gaussians() -> None:
    points, (rows, columns), width = np.random.default_rng(0).uniform(-1.1, 1.1, (20, 2)), (5, 7), 1.3
    expected = np.zeros((rows, columns))
    for x, y in points:
        if max(abs(x), abs(y)) > 1:
            continue
        kernel = np.zeros((rows, columns))
        for row in range(rows):
            for column in range(columns):
                across, down = (x + 1) / 2 * columns - column - 0.5, (y + 1) / 2 * rows - row - 0.5
                kernel[row, column] = np.exp(-(across**2 + down**2) / (2 * width**2))
        expected += kernel / kernel.sum() / len(points)
    np.testing.assert_allclose(fixation_density(points, (rows, columns), width), expected, rtol=1e-12)


def test_a_narrow_kernel_and_no_points_give_numbers() -> None:
    narrow = fixation_density(np.zeros((1, 2)), (4, 4), 1e-3)
    np.testing.assert_allclose(narrow[1:3, 1:3], 0.25)
    assert not fixation_density(np.zeros((0, 2)), (4, 4), 1.0).any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros((3, 3)), (4, 4), 1.0), r"points must be \(M, 2\), got \(3, 3\)"),
        ((np.zeros((3, 2)), (0, 4), 1.0), "size must be at least"),
        ((np.zeros((3, 2)), (4, 4), float("nan")), "bandwidth positive"),
    ],
)
def test_a_density_says_what_is_wrong(arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fixation_density(*arguments)


def test_large_canvases_have_smaller_maps_of_their_own_shape() -> None:
    assert cells_for((60, 40)) == (60, 40)
    assert cells_for((1024, 512)) == (LONGEST, LONGEST // 2)
    assert cells_for((10_000, 1)) == (LONGEST, 1)


def make_fixations() -> Fixations:
    """Two episodes on a canvas of 40 x 20 pixels with an image of 10 x 10, both fixated at its top left corner."""
    corners = np.array([[2, 6], [8, 25]])
    centre = (corners + 5) / (20, 40) * 2 - 1
    path = np.stack([np.zeros((2, 2)), corners / (20, 40) * 2 - 1], axis=1).astype(np.float32)
    twice = centre[:, None].repeat(2, axis=1)
    return Fixations(path, twice, np.array([[[2.0, 4.0]] * 2] * 2), np.array([0, 2]), np.array([True, False]))


def test_places_on_the_target_do_not_depend_on_where_it_lies() -> None:
    fixations = make_fixations()
    assert fixations.moved()
    task = SimpleNamespace(canvas_size=(40, 20), image_size=(10, 10), answer_names=("a", "b", "c"))
    env = SimpleNamespace(unwrapped=SimpleNamespace(task=task))
    maps = heat_maps(env, fixations._replace(path=fixations.path + np.float32(1e-6)), 0.01)
    assert maps.by_glimpse.shape == (2, 40, 20)
    assert maps.target_by_class.shape == (3, 10, 10)
    np.testing.assert_allclose(maps.by_glimpse.sum((1, 2)), 1)
    assert maps.by_class[1].sum() == maps.target_by_class[1].sum() == 0
    assert maps.target_by_glimpse[1, 0, 0] > 0.99
    assert maps.episodes_by_class.tolist() == [1, 0, 1]
    np.testing.assert_allclose(maps.by_glimpse[0, 19:21, 9:11], 0.25, rtol=0.01)


def test_recorded_fixations_lie_on_the_canvas_that_was_shown(images: str) -> None:
    """The image's middle is where the canvas's light is."""
    env = EnvConfig("Classify-v0", images=images, size=24, patch=6, scales=2, num_glimpses=3)
    recipe = Recipe("toy", env, AgentConfig(width=16, where_stream=8))
    vector = make_env(recipe, "test", 4, CPU)
    batches = []

    def observe(trajectory: Trajectory, kept: int) -> None:
        batches.append(Fixations(*(values[:kept] for values in fixations_of(vector, 5, trajectory))))

    result = evaluate(make_agent(vector, recipe.agent), vector, 6, seed=5, observer=observe)
    found = joined(batches)
    assert 100 * (1 - found.correct.mean()) == pytest.approx(result.error)
    assert found.path.shape == (6, 3, 2)
    np.testing.assert_array_equal(found.path[:, 0], 0)
    vector.reset(seed=[5] * 4, options={"episode": np.arange(4)})
    for row, canvas in enumerate(vector.unwrapped.canvases()):
        where = np.argwhere(canvas[..., 0])
        middle = (where.min(0) + where.max(0) + 1)[::-1] / 2
        np.testing.assert_allclose(
            (found.centre[row, 0] + 1) / 2 * 24, middle, atol=0.51
        )  # the block is not in the middle


def test_attention_along_a_story_against_loops() -> None:
    rng = np.random.default_rng(0)
    count, lines = np.array([1, 4, 3, 4, 2]), 4
    weights = rng.random((5, 2, lines)) * (np.arange(lines) < count[:, None])[:, None]
    support = np.array([[0, -1], [1, 3], [-1, -1], [2, 0], [1, -1]])
    tokens = rng.integers(1, 6, (5, lines, 3)) * (np.arange(lines) < count[:, None])[..., None]
    end, around, words = np.zeros((2, lines)), np.zeros((2, 5)), np.zeros(6)
    for n in range(5):
        for line in range(count[n]):
            end[:, count[n] - 1 - line] += weights[n, :, line] / 5
            for word in set(tokens[n, line].tolist()):
                words[word] += weights[n, :, line].mean() / 5
            named = [fact for fact in support[n] if fact >= 0]
            if named:
                offset = min((abs(line - fact), place, line - fact) for place, fact in enumerate(named))[2]
                if abs(offset) <= 2:
                    around[:, offset + 2] += weights[n, :, line] / 4
    np.testing.assert_allclose(from_the_end(weights, count), end)
    np.testing.assert_allclose(around_support(weights, support, 2), around)
    np.testing.assert_allclose(on_words(weights, tokens, 6), words)


def test_words_of_the_question_that_every_line_holds_do_not_count() -> None:
    tokens = np.array([[[2, 3], [2, 4]], [[2, 5], [2, 6]]])  # 2 is "the"
    weights = np.array([[[0.75, 0.25]], [[0.5, 0.5]]])
    assert on_question_words(weights, tokens, np.array([[2, 3], [2, 0]])) == pytest.approx(0.375)


def test_a_gaze_attends_to_the_lines_it_looks_at(babi_folder: str) -> None:
    recipe = story_recipe(babi_folder, "BabiGaze-v0", memory_options=("slots=3", "width=16"))
    env = make_env(recipe, "test", 3, CPU)
    found = watched_attention(make_agent(env, recipe.agent), env, np.arange(5), gaze="last")
    assert found.weights.shape[:2] == (5, 3)
    for row, count in enumerate(found.lines):
        assert found.weights[row].argmax(-1).tolist() == [max(0, count - 1 - turn) for turn in range(3)]
        assert (found.tokens[row] > 0).any(-1).sum() == count
        assert found.support[row, 0] < count
        fact = found.tokens[row, found.support[row, 0]]
        assert set(fact) & set(found.question[row]) - {0}  # the line that names who is asked about


@pytest.mark.parametrize("memory", ["episodic", "hopfield"])
@pytest.mark.parametrize("core", ["none", "lstm"])
def test_a_reader_attends_to_what_its_memory_reads(babi_folder: str, memory: str, core: str) -> None:
    recipe = story_recipe(babi_folder, "Babi-v0", core=core, memory=memory, memory_options=("slots=8", "width=16"))
    env = make_env(recipe, "test", 3, CPU)
    agent = make_agent(env, recipe.agent)
    found = watched_attention(agent, env, np.arange(7), watch=True)
    np.testing.assert_allclose(found.weights.sum(-1), 1, rtol=1e-5)
    exists = np.arange(found.weights.shape[2]) < found.lines[:, None]
    np.testing.assert_array_equal((found.weights > 0).any(1), exists)
    one = watched_attention(agent, make_env(recipe, "test", 1, CPU), np.arange(7), watch=True)
    np.testing.assert_allclose(one.weights, found.weights, atol=1e-5)
    np.testing.assert_allclose(one.on_story, found.on_story, atol=1e-5)


def test_other_memories_and_tasks_are_refused(babi_folder: str) -> None:
    recipe = story_recipe(babi_folder, "Babi-v0", core="lstm", memory="ntm", memory_options=("slots=4", "width=4"))
    env = make_env(recipe, "test", 2, CPU)
    with pytest.raises(ValueError, match="slots of this memory are not the lines of a story"):
        watched_attention(make_agent(env, recipe.agent), env, np.arange(2), watch=True)
    recipe = Recipe("copy", EnvConfig("Copy-v0"), AgentConfig(width=16))
    env = make_env(recipe, "test", 2, CPU)
    with pytest.raises(ValueError, match="this is none of them"):
        watched_attention(make_agent(env, recipe.agent), env, np.arange(2))


def test_episodes_are_drawn_from_the_whole_split() -> None:
    some = sample_episodes(10, 1000)
    assert len(set(some.tolist())) == 10
    assert some.max() > 500
    np.testing.assert_array_equal(sample_episodes(10, 4), np.arange(4))
    np.testing.assert_array_equal(sample_episodes(10, 4, more=True), np.arange(10))


def test_colours_grow_lighter_and_panels_show_them() -> None:
    light = colours(np.linspace(0, 1, 9)).astype(int).sum(-1)
    assert (np.diff(light) > 0).all()
    density = np.zeros((8, 8))
    density[2, 5] = 1
    panel = heat_panel(density, 1.0)[1:-1, 1:-1].astype(int).sum(-1)
    row, column = np.unravel_index(panel.argmax(), panel.shape)
    assert (row * 8 // len(panel), column * 8 // len(panel)) == (2, 5)
    assert tuple(colour_bar(4.0, 100)[0, 0]) == tuple(colours(np.array(1.0)))


def test_the_command_draws_and_writes_numbers(looker: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prior = tmp_path / "left.png"
    cv2.imwrite(str(prior), np.repeat(np.array([[255, 0]], np.uint8), 2, axis=0))
    out = [tmp_path / name for name in ("heat.png", "heat.npz", "heat.json")]
    files = ["--out", *map(str, out), "--saliency-prior", str(prior)]
    main([str(looker), *files, "--episodes", "30", "--device", "cpu"])
    printed = capsys.readouterr().out
    assert "30 episodes" in printed
    assert "agreement with the prior" in printed
    assert cv2.imread(str(out[0])) is not None
    numbers, plain = np.load(out[1]), json.loads(out[2].read_text())
    assert numbers["by_glimpse"].shape == (3, 24, 24)
    np.testing.assert_allclose(plain["target_by_class"], numbers["target_by_class"])
    assert plain["classes"] == ["0", "1", "2"]
    assert sum(plain["episodes_by_class"]) == plain["episodes"] == 30
    assert np.isfinite(plain["saliency_agreement"])


@pytest.mark.parametrize("id", ["Babi-v0", "BabiGaze-v0"])
def test_stories_are_drawn(babi_folder: str, tmp_path: Path, id: str) -> None:
    agent = save_agent(story_recipe(babi_folder, id, memory_options=("slots=8", "width=16")), tmp_path / "agent.pt")
    numbers = heatmap(agent, [tmp_path / "heat.png", tmp_path / "heat.json"], episodes=8, device="cpu")
    assert cv2.imread(str(tmp_path / "heat.png")) is not None
    assert len(numbers["words"]) == len(numbers["vocabulary"])
    np.testing.assert_allclose(numbers["by_line"].sum(1), 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "heat.gif"], r"heat\.gif: the name must end in \.png .*\.npz or \.json"),
        (["--episodes", "0"], "episodes must be at least 1, got 0"),
        (["--gaze", "scan"], "no scripted gaze 'scan'"),
        (["--saliency-prior", "none.png"], r"none\.png"),
        (["--images", "none.npz"], r"none\.npz does not exist"),
    ],
)
def test_the_command_says_what_is_wrong(looker: Path, tmp_path: Path, arguments: list[str], message: str) -> None:
    options = ["--out", str(tmp_path / "heat.png"), "--device", "cpu", *arguments]
    with pytest.raises(SystemExit, match=f"error: .*{message}"):
        main([str(looker), *options])
    assert not (tmp_path / "heat.png").exists()
