"""Traces and the pictures drawn from them, and `python -m runs.watch`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from agents import AgentConfig, BatchedEnv, collect, make_agent
from agents.evaluation import play
from agents.training.checkpoint import save_atomically
from agents.training.recipe import EnvConfig, Recipe
from agents.training.trainer import Trainer
from glimpse_env.render import PATH_COLOUR, UNSEEN, WINDOW_COLOURS
from glimpse_env.retina import Retina
from runs.environments import make_env
from runs.traces.contact_sheet import animation, animation_frames, contact_sheet
from runs.traces.encoding import encode_png
from runs.traces.layout import OTHER, TRUTH, WRONG
from runs.traces.lettering import shorten, text_width
from runs.traces.panels import belief_columns, belief_rows, patches_panel, scene_panel, shown_classes
from runs.traces.pictures import encode
from runs.traces.trace import Trace, record_traces, traces_of
from runs.watch import main, watch

CPU = torch.device("cpu")
RETINA = Retina((4, 4), 2)


def make_trace(
    canvas: tuple[int, int, int] = (40, 40, 1),
    path: Any = ((-0.5, -0.5), (0.5, -0.5), (0.5, 0.5)),
    beliefs: Any = ((0.7, 0.1, 0.2, 0.0), (0.2, 0.5, 0.3, 0.0), (0.1, 0.85, 0.05, 0.0)),
    target: int = 1,
    names: tuple[str, ...] | None = None,
    retina: Retina = RETINA,
) -> Trace:
    """An episode on a white canvas that no agent played."""
    steps = len(path)
    glimpses = np.random.default_rng(0).random((steps, retina.scales, canvas[2], *retina.patch), dtype=np.float32)
    beliefs = np.asarray(beliefs, np.float32)[:steps]
    names = names or tuple(str(k) for k in range(beliefs.shape[1]))
    answer, path = beliefs[-1:].argmax(-1), np.asarray(path, np.float32)
    white = np.full(canvas, 255, np.uint8)
    return Trace(
        7, "glimpse", glimpses, answer, np.array([target]), beliefs, names, path=path, canvas=white, retina=retina
    )


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    """Classify ten images of 20 x 16 pixels, in RGB, in three glimpses."""
    images = np.random.default_rng(0).integers(0, 256, (10, 20, 16, 3), dtype=np.uint8)
    np.savez(tmp_path / "own.npz", images=images, labels=np.arange(10) % 5)
    env = EnvConfig("Classify-v0", images=str(tmp_path / "own.npz"), num_glimpses=3, patch=6, scales=2)
    return Recipe(name="own", env=env, agent=AgentConfig(width=16, where_stream=8))


@pytest.fixture
def checkpoint(recipe: Recipe, tmp_path: Path) -> Path:
    """The weight file of an agent that never trained."""
    trainer = Trainer.begin(recipe, make_env(recipe, "train", 2, CPU), CPU)
    save_atomically(trainer.best_agent("a machine"), tmp_path / "agent.pt")
    return tmp_path / "agent.pt"


def test_a_trace_is_a_slice_of_a_trajectory(recipe: Recipe) -> None:
    env = make_env(recipe, "all", 4, CPU)
    agent = make_agent(env, recipe.agent).eval()
    with torch.no_grad():
        trajectory = collect(agent, BatchedEnv(env, CPU), np.arange(3, 7), seed=5)
    own = np.load(recipe.env.images)
    for row, trace in enumerate(traces_of(trajectory, env, 5)):
        assert trace.episode == 3 + row
        np.testing.assert_array_equal(trace.canvas, own["images"][3 + row])  # each image once, in order
        assert trace.label == own["labels"][3 + row]
        assert trace.names == ("0", "1", "2", "3", "4")
        np.testing.assert_array_equal(trace.seen, trajectory.observations["glimpse"][:, row])
        np.testing.assert_array_equal(trace.path, trajectory.observations["location"][:, row])
        np.testing.assert_allclose(trace.beliefs, trajectory.params["answer"][:, row].softmax(-1), rtol=1e-5)
        assert trace.answer.tolist() == [trace.beliefs[-1].argmax()]
        assert trace.correct == (trace.answer[0] == trace.label)
        assert not trace.has_memory


def test_episodes_are_recorded_in_order_whatever_the_number_of_rows(recipe: Recipe) -> None:
    agent = make_agent(make_env(recipe, "all", 1, CPU), recipe.agent).train()
    three, one = (record_traces(agent, make_env(recipe, "all", rows, CPU), np.arange(4, 9)) for rows in (3, 1))
    assert [trace.episode for trace in three] == [trace.episode for trace in one] == [4, 5, 6, 7, 8]
    for left, right in zip(three, one, strict=True):
        np.testing.assert_allclose(left.beliefs, right.beliefs, atol=1e-5)
    assert agent.training


def test_a_scripted_gaze_is_followed(recipe: Recipe) -> None:
    env = make_env(recipe, "test", 2, CPU)
    agent = make_agent(env, recipe.agent)
    traces = record_traces(agent, env, np.arange(2), seed=3, gaze="random")
    places = env.unwrapped.scripted_gaze("random", 3, np.arange(2))
    np.testing.assert_array_equal(np.stack([trace.path[1:] for trace in traces], 1), places)


def test_recording_says_what_is_wrong(recipe: Recipe) -> None:
    env = make_env(recipe, "test", 2, CPU)
    agent = make_agent(env, recipe.agent)
    with pytest.raises(ValueError, match="episodes must be at least 1"):
        next(play(agent, env, np.arange(0)))
    with pytest.raises(ValueError, match="no scripted gaze 'scan'; it has random, oracle"):
        record_traces(agent, env, np.arange(2), gaze="scan")
    torch.nn.init.constant_(agent.heads["answer"].linear.weight, torch.nan)
    with pytest.raises(ValueError, match="not finite"):
        record_traces(agent, env, np.arange(2))


def test_a_role_without_pictures_is_named() -> None:
    with pytest.raises(ValueError, match="nothing draws the role 'sound'"):
        encode([make_trace()._replace(role="sound")], "", "", ".png")


def test_the_path_lies_on_the_fixations() -> None:
    panel = scene_panel(make_trace(), 3, 200)[1:-1, 1:-1]  # within its frame, 5 times the canvas
    assert panel.shape == (200, 200, 3)
    for x, y, colour in ((50, 50, PATH_COLOUR), (150, 50, PATH_COLOUR), (150, 150, WINDOW_COLOURS[0])):
        for side in ((x - 6, y), (x + 6, y)):  # beside the number, in the dot
            assert tuple(panel[side[1], side[0]]) == colour
    assert tuple(panel[50, 100]) == PATH_COLOUR
    assert tuple(panel[100, 150]) == PATH_COLOUR
    assert not (panel[100, 60:140] == PATH_COLOUR).all(-1).any()
    before = scene_panel(make_trace(), 2, 200)[1:-1, 1:-1]
    assert tuple(before[50, 144]) == WINDOW_COLOURS[0]
    assert not (before[60:, 150] == PATH_COLOUR).all(-1).any()


def test_the_scene_is_dimmed_where_no_finest_window_was() -> None:
    trace = make_trace()
    panel = scene_panel(trace, 3, 200)[1:-1, 1:-1]
    assert tuple(panel[195, 5]) == (round(255 * UNSEEN),) * 3
    assert tuple(panel[42, 58]) == (255, 255, 255)  # the first window reaches from 40 to 60
    assert tuple(scene_panel(trace, 3, 200, reveal=True)[196, 6]) == (255, 255, 255)


def test_the_last_windows_are_framed() -> None:
    panel = scene_panel(make_trace(), 3, 200)[1:-1, 1:-1]
    for half, colour in ((10, WINDOW_COLOURS[0]), (20, WINDOW_COLOURS[1])):  # 4 and 8 pixels wide around (150, 150)
        assert tuple(panel[150 + half - 1, 143]) == colour
        assert tuple(panel[157, 150 + half - 1]) == colour


def test_dots_without_room_give_their_number_up() -> None:
    trace = make_trace(path=((0, 0), (0.02, 0), (0.6, 0)), retina=Retina((1, 1), 1))
    numbered = scene_panel(trace, 3, 200)[1:-1, 1:-1]
    assert tuple(numbered[100, 94]) == PATH_COLOUR  # fixation 2 keeps its dot over fixation 1
    assert (numbered[92:100, 96:104] == PATH_COLOUR).all(-1).any()


def test_patches_are_enlarged_and_framed() -> None:
    glimpse = np.zeros((2, 1, 4, 4), np.float32)
    glimpse[0, 0, 1, 2] = 1
    glimpse[1, 0, 3, 0] = 0.5
    panel = patches_panel(glimpse, 96)
    assert (panel[2 + 10 : 2 + 20, 2 + 20 : 2 + 30] == 255).all()
    assert (panel[:2] == WINDOW_COLOURS[0]).all()
    assert (panel == 255).all(-1).sum() == 100
    assert (panel == 128).all(-1).sum() == 100


@pytest.mark.parametrize("step", [0, 1, 2])
def test_upright_bars_are_the_probabilities(step: int) -> None:
    trace = make_trace()
    chart = belief_columns(trace, step, 80, height=100)
    answer = trace.beliefs[step].argmax()
    for index, belief in enumerate(trace.beliefs[step]):
        colour = TRUTH if index == trace.target else WRONG if index == answer else OTHER
        bar = (chart[:100, 20 * index + 10] == colour).all(-1)
        assert bar.sum() == round(100 * float(belief))
        assert bar[100 - bar.sum() :].all()


def test_lying_bars_are_the_probabilities() -> None:
    trace = make_trace()
    chart = belief_rows(trace, 0, 300, 144)
    lengths = [(chart[36 * index + 18] == colour).all(-1).sum() for index, colour in enumerate([WRONG, TRUTH, OTHER])]
    full = (chart[9] != chart[0, 0]).any(-1).sum()
    np.testing.assert_allclose(np.asarray(lengths) / full, trace.beliefs[0, :3], atol=0.02)


def test_of_many_classes_the_likeliest_and_the_truth_are_shown() -> None:
    beliefs = np.zeros((3, 100), np.float32)
    beliefs[:, 20:60] = np.linspace(0.1, 0.9, 40) * np.asarray([[1.0], [0.5], [0.2]])
    shown = shown_classes(make_trace(beliefs=beliefs, target=3))
    assert shown.tolist() == [3, *range(51, 60)]


TRACES = {
    "grey": make_trace(),
    "RGB": make_trace((30, 50, 3), retina=Retina((3, 5), 3)),
    "tall": make_trace((90, 20, 1)),
    "large": make_trace((700, 900, 3), retina=Retina((200, 160), 1)),
    "one pixel": make_trace((1, 1, 1), retina=Retina((1, 1), 1)),
    "one glimpse": make_trace(path=((0, 0),)),
    "wide retina": make_trace(retina=Retina((2, 2), 29)),
    "many classes": make_trace(beliefs=np.full((3, 100), 0.01)),
    "long names": make_trace(names=("ankle boot", "a very long name of a class", "猫", "")),
    "corners": make_trace(path=((-1, -1), (1, -1), (1, 1))),
}


@pytest.mark.parametrize("name", TRACES)
def test_every_kind_of_episode_is_drawn(name: str) -> None:
    trace = TRACES[name]
    sheet = contact_sheet([trace, trace], "A title", "and a line")
    decoded = cv2.imdecode(np.frombuffer(encode_png(sheet), np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(decoded[..., ::-1], sheet)
    assert sheet.shape[0] > contact_sheet([trace]).shape[0]
    assert sheet.shape[0] < 2500
    assert sheet.shape[1] < 2000
    frames = animation_frames([trace])
    assert len({frame.shape for frame in frames}) == 1
    assert len(frames) == len(trace.path) + 1


def test_the_animation_has_a_frame_for_each_glimpse_and_the_outcome() -> None:
    traces = [make_trace(), make_trace(path=((0, 0), (0.5, 0))), make_trace(target=0)]
    done, film = cv2.imdecodeanimation(np.frombuffer(animation(traces, "title"), np.uint8))
    assert done
    assert len(film.frames) == 4
    assert list(film.durations[:3]) == [800] * 3
    assert film.durations[3] > 800
    assert film.loop_count == 0  # for ever
    for decoded, drawn in zip(film.frames, animation_frames(traces, "title"), strict=True):
        np.testing.assert_array_equal(decoded[..., 2::-1], drawn)


def test_long_text_is_shortened_to_its_room() -> None:
    assert shorten("7", 12, 60) == "7"
    short = shorten("a rather long name", 12, 60)
    assert short.endswith("…")
    assert "a rather long name".startswith(short[:-1])
    assert 40 < text_width(short, 12) <= 60


@pytest.mark.parametrize(("name", "frames"), [("gaze.png", 1), ("gaze.APNG", 4)])
def test_the_command_draws_a_checkpoint(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, frames: int
) -> None:
    out = tmp_path / "new" / name
    main([str(checkpoint), "--out", str(out), "--episodes", "2", "--gaze", "random", "--device", "cpu"])
    assert "2 episodes" in capsys.readouterr().out
    done, film = cv2.imdecodeanimation(np.frombuffer(out.read_bytes(), np.uint8))
    assert done
    assert len(film.frames) == frames
    assert [file.name for file in out.parent.iterdir()] == [name]


def test_other_images_can_be_watched(checkpoint: Path, tmp_path: Path) -> None:
    images = np.random.default_rng(1).integers(0, 256, (3, 30, 25, 3), dtype=np.uint8)
    np.savez(tmp_path / "others.npz", images=images, labels=np.arange(3))
    traces = watch(checkpoint, tmp_path / "a.png", episodes=2, first=1, images=tmp_path / "others.npz", device="cpu")
    assert [trace.episode for trace in traces] == [1, 2]
    np.testing.assert_array_equal(traces[0].canvas, images[1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "gaze.gif"], r"gaze\.gif: the name must end in \.png .* or \.apng"),
        (["--episodes", "0"], "episodes must be at least 1 and first at least 0, got 0 and 0"),
        (["--first", "-1"], "episodes must be at least 1 and first at least 0, got 4 and -1"),
        (["--gaze", "scan"], "no scripted gaze 'scan'; it has random, oracle"),
        (["--images", "none.npz"], r"none\.npz does not exist"),
    ],
)
def test_the_command_says_what_is_wrong(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("gaze.png").write_bytes(b"before")
    with pytest.raises(SystemExit, match=f"error: .*{message}"):
        main([str(checkpoint), "--out", "gaze.png", "--device", "cpu", *arguments])
    assert Path("gaze.png").read_bytes() == b"before"
    with pytest.raises(SystemExit, match=r"no checkpoint at none\.pt: train one"):
        main(["none.pt", "--out", "gaze.png"])
