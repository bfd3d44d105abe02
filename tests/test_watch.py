"""Traces and the pictures drawn from them, and `python -m runs.watch`."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
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
from runs.traces.animation import animation, animation_frames
from runs.traces.belief_charts import BAR, ROW, belief_colours, belief_rows, belief_table, name_width, shown_classes
from runs.traces.contact_sheet import contact_sheet
from runs.traces.encoding import encode_png
from runs.traces.layout import LINE, OTHER, SMALL, TRUTH, WIDTH, WRONG
from runs.traces.lettering import shorten, text_width
from runs.traces.panels import DOT, patches_panel, scene_panel
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
    box: tuple[int, int, int, int] | None = None,
    colour: Any = 255,
) -> Trace:
    """An episode on a white canvas, or one of this colour, that no agent played."""
    steps = len(path)
    glimpses = np.random.default_rng(0).random((steps, retina.scales, canvas[2], *retina.patch), dtype=np.float32)
    beliefs = np.asarray(beliefs, np.float32)[:steps]
    names = names or tuple(str(k) for k in range(beliefs.shape[1]))
    answer, path = beliefs[-1:].argmax(-1), np.asarray(path, np.float32)
    plain, found = np.full(canvas, colour, np.uint8), None if box is None else np.array(box)
    return Trace(7, "glimpse", glimpses, answer, np.array([target]), beliefs, names, path, plain, retina, found)


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
        assert trace.box is None  # the image is the whole canvas


def test_a_trace_knows_what_is_right_at_each_decision_where_that_changes(recipe: Recipe) -> None:
    env = make_env(recipe, "all", 2, CPU)
    with torch.no_grad():
        trajectory = collect(make_agent(env, recipe.agent).eval(), BatchedEnv(env, CPU), np.arange(2))
    assert [trace.due for trace in traces_of(trajectory, env, 0)] == [None, None]
    assert trajectory.target is not None
    other = trajectory.target.clone()
    other[0, 1] = (other[0, 1] + 1) % 5
    same, turns = traces_of(trajectory._replace(target=other), env, 0)
    assert same.due is None
    assert [turns.truth(step) for step in range(3)] == other[:, 1].tolist()


def test_the_box_of_a_trace_is_where_the_image_lies(recipe: Recipe) -> None:
    env = make_env(replace(recipe, env=replace(recipe.env, size=40)), "all", 2, CPU)
    own = np.load(recipe.env.images)["images"]
    for trace in record_traces(make_agent(env, recipe.agent), env, np.arange(2), gaze="oracle"):
        left, top, right, bottom = trace.box
        np.testing.assert_array_equal(trace.canvas[top:bottom, left:right], own[trace.episode])
        assert trace.hits[1:].all()


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
    with pytest.raises(ValueError, match="no scripted gaze 'scan'; it has random, centre, grid, oracle"):
        record_traces(agent, env, np.arange(2), gaze="scan")
    torch.nn.init.constant_(agent.heads["answer"].linear.weight, torch.nan)
    with pytest.raises(ValueError, match="not finite"):
        record_traces(agent, env, np.arange(2))


def test_a_role_without_pictures_is_named() -> None:
    with pytest.raises(ValueError, match="nothing draws the role 'sound'"):
        encode([make_trace()._replace(role="sound")], "", "", ".png")


def scene(trace: Trace, seen: int, side: int = 200) -> np.ndarray:
    """The picture within the panel's frame; a canvas of 40 pixels is 5 times as large."""
    return scene_panel(trace, seen, (side, side))[1:-1, 1:-1]


def test_the_path_lies_on_the_fixations() -> None:
    panel = scene(make_trace(), 3)
    assert panel.shape == (200, 200, 3)
    for x, y, colour in ((50, 50, PATH_COLOUR), (150, 50, PATH_COLOUR), (150, 150, WINDOW_COLOURS[0])):
        for side in ((x - 11, y), (x + 11, y)):  # beside the number, in the dot
            assert tuple(panel[side[1], side[0]]) == colour
    assert tuple(panel[50, 100]) == PATH_COLOUR
    assert tuple(panel[100, 150]) == PATH_COLOUR
    assert not (panel[100, 60:140] == PATH_COLOUR).all(-1).any()
    before = scene(make_trace(), 2)
    assert tuple(before[50, 139]) == WINDOW_COLOURS[0]
    assert not (before[70:, 150] == PATH_COLOUR).all(-1).any()


def test_colours_are_kept_where_a_window_was_and_grey_elsewhere() -> None:
    """The canvas is enlarged 4 times, windows are 48 and 96 pixels wide, dots 28."""
    trace = make_trace((50, 50, 3), path=((-0.4, -0.4), (0.8, 0.8)), retina=Retina((12, 12), 2), colour=(200, 40, 20))
    panel = scene(trace, 2)
    finest, coarse, unseen = (panel[at, at].astype(int) for at in (40, 16, 4))
    assert finest[0] >= 200
    assert finest[0] - finest[1] > 140
    assert coarse[0] - coarse[1] > 80
    assert finest[0] > coarse[0] > 200 * UNSEEN
    assert len(set(unseen.tolist())) == 1
    assert (
        0.4 < unseen[0] / (0.299 * 200 + 0.587 * 40 + 0.114 * 20) < 0.7
    )  # recognisable, and darker than what was seen


def test_the_last_windows_are_framed() -> None:
    panel = scene(make_trace(retina=Retina((8, 8), 2)), 3)
    for half, colour in ((20, WINDOW_COLOURS[0]), (40, WINDOW_COLOURS[1])):  # 8 and 16 pixels wide around (150, 150)
        assert (panel[150 + half - LINE : 150 + half, 145] == colour).all()
        assert (panel[145, 150 + half - LINE : 150 + half] == colour).all()
        assert tuple(panel[145, 150 + half - LINE - 1]) != colour


def test_lines_are_two_pixels_wide_in_a_card() -> None:
    """The page shrinks a picture of `WIDTH` pixels to 350: along a line's cross-section two pixels keep its colour."""
    (frame, *_) = animation_frames([make_trace((800, 1360, 3), path=((0.0, 0.0),), retina=Retina((300, 300), 1))])
    assert frame.shape[1] == WIDTH
    assert frame.shape[0] / 2 <= 215  # a card's height at first
    card = cv2.resize(frame, None, fx=350 / WIDTH, fy=350 / WIDTH, interpolation=cv2.INTER_AREA).astype(int)
    near = (np.abs(card - WINDOW_COLOURS[0]).max(-1) < 60).sum(0)  # down each column
    assert LINE * 350 / WIDTH >= 2
    assert np.median(near[near > 0]) >= 2 * 2  # the upper and the lower line of the window


def test_what_is_to_be_recognised_has_a_box_with_its_name() -> None:
    """The canvas is enlarged 5 times."""
    trace = make_trace(path=((-0.9, 0.9),), box=(20, 16, 36, 28), names=("a", "stop sign", "c", "d"))
    panel = scene(trace, 1)
    green = (panel == TRUTH).all(-1)
    assert green[80:140, 100 : 100 + LINE].all()
    assert green[80:140, 180 - LINE : 180].all()
    assert green[80 : 80 + LINE, 100:180].all()
    assert green[140 - LINE : 140, 100:180].all()
    assert not green[80 + LINE : 140 - LINE, 100 + LINE : 180 - LINE].any()
    assert not green[140:].any()
    tag = green[80 - SMALL - 6 : 80]
    assert 0.4 < tag[:, tag.any(0)].mean() < 1  # with dark letters
    assert not green[: 80 - SMALL - 6].any()
    assert not (scene(trace._replace(box=None), 1) == TRUTH).all(-1).any()


def test_fixations_in_the_box_are_hits() -> None:
    trace = make_trace(box=(20, 0, 40, 20))
    assert trace.hits.tolist() == [False, True, False]
    panel = scene(trace, 3)
    for (x, y), hit in zip(((50, 50), (150, 50), (150, 150)), trace.hits, strict=True):
        aside = round((DOT + 4) / 2**0.5)  # above and to the right, where no line is
        assert (tuple(panel[y - aside, x + aside]) == TRUTH) == hit
    assert not trace._replace(box=None).hits.any()


def test_a_photograph_of_twelve_megapixels_is_drawn_as_a_small_one_is() -> None:
    """Of the same scene, with windows and box in proportion; and nothing as large as the canvas is computed."""
    small = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    path, box = ((-0.5, -0.5), (0.5, 0.25)), (20, 10, 36, 20)
    canvases = [small.repeat(times, 0).repeat(times, 1) for times in (10, 100)]
    panels = []
    for times, canvas in zip((10, 100), canvases, strict=True):
        trace = make_trace(path=path, retina=Retina((4 * times, 4 * times), 3), box=tuple(times * edge for edge in box))
        tracemalloc.start()
        panels.append(scene(trace._replace(canvas=canvas), 2, 340).astype(int))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 12e6
    assert panels[0].shape == panels[1].shape == (255, 340, 3)
    assert np.abs(panels[0] - panels[1]).mean() < 3


def test_dots_without_room_give_their_number_up() -> None:
    trace = make_trace(path=((0, 0), (0.05, 0), (0.6, 0)), retina=Retina((1, 1), 1))
    numbered = scene(trace, 3)
    assert tuple(numbered[100, 94]) == PATH_COLOUR  # fixation 2 keeps its dot over fixation 1
    assert (numbered[92:100, 96:104] == PATH_COLOUR).all(-1).any()


def test_patches_are_enlarged_and_framed() -> None:
    glimpse = np.zeros((2, 1, 4, 4), np.float32)
    glimpse[0, 0, 1, 2] = 1
    glimpse[1, 0, 3, 0] = 0.5
    panel = patches_panel(glimpse, 2 * (48 + 2 * LINE + 6))  # 12 times
    assert (panel[LINE + 12 : LINE + 24, LINE + 24 : LINE + 36] == 255).all()
    assert (panel[:LINE] == WINDOW_COLOURS[0]).all()
    assert (panel == 255).all(-1).sum() == 144
    assert (panel == 128).all(-1).sum() == 144


def test_many_patches_stand_in_columns() -> None:
    panel = patches_panel(np.zeros((29, 1, 4, 4), np.float32), 400, 250)
    assert panel.shape[0] <= 400
    assert 150 < panel.shape[1] <= 250


def test_upright_bars_are_the_probabilities() -> None:
    trace = make_trace()
    left, pitch, row = name_width(trace), 60, 104
    table = belief_table(trace, range(1, 3), pitch, row)
    for column, step in enumerate((1, 2)):
        answer = trace.beliefs[step].argmax()
        for index, belief in enumerate(trace.beliefs[step]):
            colour = TRUTH if index == trace.target else WRONG if index == answer else OTHER
            bar = (table[row * index + 2 : row * (index + 1) - 2, left + pitch * column + 30] == colour).all(-1)
            assert bar.sum() == round(100 * float(belief))
            assert bar[100 - bar.sum() :].all()


def test_lying_bars_are_the_probabilities() -> None:
    trace = make_trace(names=("a rather long name", "b", "c", "d"))
    chart = belief_rows(trace, 0, 4 * ROW, 300)
    assert chart.shape == (4 * ROW, 300, 3)
    for index, colour in enumerate([WRONG, TRUTH, OTHER]):
        bar = chart[ROW * index + 28 : ROW * index + 28 + BAR]
        assert (bar == colour).all(-1).sum(1).tolist() == [round(300 * float(trace.beliefs[0, index]))] * BAR


def test_names_of_classes_do_not_reach_into_each_other() -> None:
    """Each name is cut to its own column and row, whatever it is."""
    names = tuple(f"{'a very long name of a class ' * 3}{index}" for index in range(9))
    beliefs = np.full((3, 9), 1 / 9, np.float32)
    long, short = (make_trace(beliefs=beliefs, names=own) for own in (names, tuple("abcdefghi")))
    for width in (150, 300, 660):
        chart = belief_rows(long, 0, 5 * ROW, width)
        assert chart.shape[1] <= width
        inked = (chart.reshape(-1, ROW, *chart.shape[1:])[:, 26:28] != chart[0, 0]).any()
        assert not inked  # between a name and its bar there is nothing
    assert len(belief_rows(short, 0, 5 * ROW, 200)) == 5 * ROW  # two side by side
    assert contact_sheet([long], width=WIDTH).shape[1] == WIDTH


def test_an_answer_is_coloured_by_what_is_right_at_its_decision() -> None:
    one, turns = make_trace(), make_trace()._replace(due=np.array([0, 2, 1]))
    assert [belief_colours(one, step)[0] for step in range(3)] == [WRONG, OTHER, OTHER]
    assert [belief_colours(turns, step)[:3] for step in range(3)] == [
        [TRUTH, OTHER, OTHER],
        [OTHER, WRONG, TRUTH],
        [OTHER, TRUTH, OTHER],
    ]
    assert shown_classes(turns, 3).tolist() == [0, 1, 2]


def test_of_many_classes_the_likeliest_and_the_truth_are_shown() -> None:
    beliefs = np.zeros((3, 100), np.float32)
    beliefs[:, 20:60] = np.linspace(0.1, 0.9, 40) * np.asarray([[1.0], [0.5], [0.2]])
    shown = shown_classes(make_trace(beliefs=beliefs, target=3))
    assert shown.tolist() == [3, *range(51, 60)]


TRACES = {
    "grey": make_trace(),
    "RGB": make_trace((30, 50, 3), retina=Retina((3, 5), 3)),
    "tall": make_trace((90, 20, 1)),
    "flat": make_trace((4, 200, 1)),
    "large": make_trace((700, 900, 3), retina=Retina((200, 160), 1)),
    "one pixel": make_trace((1, 1, 1), retina=Retina((1, 1), 1)),
    "one glimpse": make_trace(path=((0, 0),)),
    "wide retina": make_trace(retina=Retina((2, 2), 29)),
    "many classes": make_trace(beliefs=np.full((3, 100), 0.01)),
    "long names": make_trace(names=("ankle boot", "a very long name of a class", "猫", "")),
    "corners": make_trace(path=((-1, -1), (1, -1), (1, 1))),
    "many glimpses": make_trace(path=np.linspace(-1, 1, 26).reshape(13, 2), beliefs=np.full((13, 4), 0.25)),
    "a box at the edge": make_trace((30, 50, 3), box=(-4, -3, 20, 60), names=("a", "name " * 30, "c", "d")),
}


@pytest.mark.parametrize("name", TRACES)
def test_every_kind_of_episode_is_drawn(name: str) -> None:
    trace = TRACES[name]
    sheet = contact_sheet([trace, trace], "A title", "and a line")
    decoded = cv2.imdecode(np.frombuffer(encode_png(sheet), np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(decoded[..., ::-1], sheet)
    assert sheet.shape[0] > contact_sheet([trace]).shape[0]
    assert sheet.shape[0] < 2500
    assert sheet.shape[1] == 2 * WIDTH
    assert contact_sheet([trace], "A title", "and a line", WIDTH).shape[1] == WIDTH
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
        (["--gaze", "scan"], "no scripted gaze 'scan'; it has random, centre, grid, oracle"),
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
