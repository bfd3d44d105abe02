"""Traces and the pictures drawn from them, and `python -m runs.watch`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import tyro

from agents import AgentConfig
from agents.checkpoint import save_atomically
from glimpse_env.render import PATH_COLOUR, UNSEEN, WINDOW_COLOURS
from glimpse_env.retina import Retina
from runs.drawing.contact_sheet import animation, animation_frames, contact_sheet
from runs.drawing.encoding import encode_png
from runs.drawing.layout import OTHER, TRUTH, WRONG, shorten, text_width
from runs.drawing.panels import belief_columns, belief_rows, patches_panel, scene_panel, shown_classes
from runs.environments import make_env
from runs.recipe import EnvConfig, Recipe
from runs.recording.traces import Trace, record_episodes
from runs.trainer import Trainer
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
    return Trace(
        7, np.full(canvas, 255, np.uint8), glimpses, np.asarray(path, np.float32), beliefs, target, names, retina
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
    save_atomically(trainer.best_agent(), tmp_path / "agent.pt")
    return tmp_path / "agent.pt"


class Witness:
    """An agent that keeps what it is shown."""

    def __init__(self, agent: Any) -> None:
        self.agent, self.seen, self.said = agent, [], []

    def __call__(self, observation: Any, state: Any) -> Any:
        decision = self.agent(observation, state)
        self.seen.append(observation["glimpse"].numpy())
        self.said.append(decision.answer.numpy())
        return decision

    def __getattr__(self, name: str) -> Any:
        return getattr(self.agent, name)


def test_a_trace_holds_what_the_agent_saw_and_said(recipe: Recipe) -> None:
    env = make_env(recipe, "all", 4, CPU)
    witness = Witness(Trainer.begin(recipe, env, CPU).agent)
    traces = record_episodes(witness, env, np.arange(3, 7))
    own = np.load(recipe.env.images)
    for row, trace in enumerate(traces):
        assert trace.episode == 3 + row
        np.testing.assert_array_equal(trace.canvas, own["images"][3 + row])  # "test" shows the images in order
        assert trace.target == own["labels"][3 + row]
        assert trace.names == ("0", "1", "2", "3", "4")
        np.testing.assert_array_equal(trace.glimpses, np.stack([glimpse[row] for glimpse in witness.seen]))
        odds = np.exp(np.stack([logits[row] for logits in witness.said]))
        np.testing.assert_allclose(trace.beliefs, odds / odds.sum(1, keepdims=True), rtol=1e-5)
        np.testing.assert_array_equal(trace.path[0], [0, 0])
        assert trace.correct == (trace.beliefs[-1].argmax() == trace.target)


def test_random_gaze_looks_elsewhere_and_everywhere_alike(recipe: Recipe) -> None:
    env = make_env(recipe, "test", 2, CPU)
    agent = Trainer.begin(recipe, env, CPU).agent
    learned, first, again = (
        np.stack([trace.path for trace in record_episodes(agent, env, np.arange(2), gaze=gaze)])
        for gaze in ("learned", "random", "random")
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first[:, 1:] - learned[:, 1:]).min() > 0
    assert agent.training


def test_recording_says_what_is_wrong(recipe: Recipe) -> None:
    env = make_env(recipe, "test", 2, CPU)
    agent = Trainer.begin(recipe, env, CPU).agent
    with pytest.raises(ValueError, match=r"episodes must be \(2,\), one for each row of env, got \(3,\)"):
        record_episodes(agent, env, np.arange(3))
    torch.nn.init.constant_(agent.answer.weight, torch.nan)
    with pytest.raises(ValueError, match="not finite"):
        record_episodes(agent, env, np.arange(2))


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
    done, film = cv2.imdecodeanimation(np.frombuffer(animation(traces, "title", seconds=0.5), np.uint8))
    assert done
    assert len(film.frames) == 4
    assert list(film.durations[:3]) == [500] * 3
    assert film.durations[3] > 500
    assert film.loop_count == 0  # for ever
    for decoded, drawn in zip(film.frames, animation_frames(traces, "title"), strict=True):
        np.testing.assert_array_equal(decoded[..., 2::-1], drawn)


def test_nothing_cannot_be_drawn() -> None:
    for draw in (contact_sheet, animation):
        with pytest.raises(ValueError, match="record at least one episode"):
            draw([])


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
    tyro.cli(main, args=[str(checkpoint), "--out", str(out), "--episodes", "2", "--gaze", "random", "--device", "cpu"])
    assert f"{out}: 2 episodes" in capsys.readouterr().out
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
        ({"out": "gaze.gif"}, r"gaze\.gif: the name must end in \.png .* or \.apng"),
        ({"checkpoint": "none.pt"}, r"no checkpoint at none\.pt: train one"),
        ({"episodes": 0}, "episodes must be at least 1 and first at least 0, got 0 and 0"),
        ({"first": -1}, "episodes must be at least 1 and first at least 0, got 4 and -1"),
        ({"images": Path("none.npz")}, r"none\.npz does not exist"),
    ],
)
def test_the_command_says_what_is_wrong(
    checkpoint: Path, tmp_path: Path, arguments: dict[str, Any], message: str
) -> None:
    (tmp_path / "gaze.png").write_bytes(b"before")
    given = {"checkpoint": checkpoint, "out": tmp_path / "gaze.png", "device": "cpu", **arguments}
    with pytest.raises(SystemExit, match=f"error: .*{message}"):
        main(given.pop("checkpoint"), **given)
    assert (tmp_path / "gaze.png").read_bytes() == b"before"
