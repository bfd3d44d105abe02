"""What a memory did in an episode, and its pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from agents import AgentConfig, BatchedEnv, collect
from agents.training.checkpoint import save_atomically
from agents.training.recipe import EnvConfig, Recipe
from agents.training.trainer import Trainer
from runs.environments import make_env
from runs.traces.layout import GROUND, TEXT, label
from runs.traces.pictures import memory_sheet
from runs.traces.text_panel import ROW, text_panel
from runs.traces.trace import Trace, record_traces
from runs.traces.weight_maps import heat, lit
from runs.watch import watch

CPU = torch.device("cpu")
EPISODIC = AgentConfig(width=16, core="none", memory="episodic", memory_options=("slots=9", "width=16", "hops=2"))


@pytest.fixture
def babi(babi_folder: str) -> Recipe:
    return Recipe("toy", EnvConfig("Babi-v0", arguments=(f"data={babi_folder}", "task=1")), EPISODIC, batch=4)


@pytest.fixture
def copier() -> Recipe:
    agent = AgentConfig(width=16, core="lstm", memory="ntm", memory_options=("slots=6", "width=5"))
    return Recipe("toy", EnvConfig("Copy-v0", arguments=("bits=3", "max_length=4")), agent, batch=4)


def begun(recipe: Recipe) -> Trainer:
    torch.manual_seed(0)
    return Trainer.begin(recipe, make_env(recipe, "train", 1, CPU), CPU)


def test_the_trace_of_a_story_is_what_was_read(babi: Recipe) -> None:
    agent, env = begun(babi).agent.eval(), make_env(babi, "test", 3, CPU)
    numbers = np.array([3, 5, 8])
    with torch.no_grad():
        trajectory = collect(agent, BatchedEnv(env, CPU), numbers, seed=0)
    for row, trace in enumerate(record_traces(agent, env, numbers)):
        assert trace.answer.tolist() == trajectory.actions["answer"][:, row].tolist()
        assert trace.target.tolist() == trajectory.target[:, row].tolist()
        np.testing.assert_allclose(trace.beliefs, trajectory.params["answer"][:, row].softmax(-1), atol=1e-6)
        assert trace.lines[-1].endswith("?")
        assert not any(line.endswith("?") for line in trace.lines[:-1])
        assert trace.question == ""
        np.testing.assert_array_equal(trace.line_numbers, 1 + np.arange(len(trace.lines)))
        assert trace.needed.sum() == 1
        assert trace.recalled.shape == (2, len(trace.lines))
        np.testing.assert_allclose(trace.recalled.sum(1), 1, atol=1e-5)
        assert ((trace.gate > 0) & (trace.gate < 1)).all()


def test_the_trace_of_a_hidden_story_is_what_was_looked_at(babi: Recipe) -> None:
    recipe = replace(babi, env=replace(babi.env, id="BabiGaze-v0", num_glimpses=3))
    agent, env = begun(recipe).agent.eval(), make_env(recipe, "test", 2, CPU)
    task = env.unwrapped.task
    for trace in record_traces(agent, env, np.array([3, 4]), gaze="last"):
        story = task.story(torch.zeros(1, dtype=torch.int64), torch.tensor([trace.episode]))
        count = int(story.count[0])
        assert trace.line_numbers.tolist() == [max(count - turn, 1) for turn in range(3)]
        assert trace.lines == tuple(task.vocabulary.decode(story.tokens[0, n - 1]) for n in trace.line_numbers)
        assert trace.question == task.vocabulary.decode(story.question[0])
        assert trace.needed.tolist() == [n - 1 in story.support[0] for n in trace.line_numbers]
        assert trace.recalled.shape == (2, 3)


def test_the_trace_of_a_sequence(copier: Recipe) -> None:
    (trace,) = record_traces(begun(copier).agent.eval(), make_env(copier, "test", 1, CPU), np.array([3]))
    length = len(trace.target)
    assert trace.seen.shape == (2 * length + 1, 4)
    np.testing.assert_array_equal(trace.seen[:length, :3], trace.target)
    assert trace.write.shape == (2 * length + 1, 6)
    assert trace.read.shape == (2 * length + 1, 1, 6)
    assert trace.gate is None
    assert trace.recalled.shape == (0, 2 * length + 1)


def story(lines: tuple[str, ...], read: np.ndarray, **fields: object) -> Trace:
    """A story whose last step read with these weights (hops, T)."""
    weights = np.repeat(read[None], len(lines), 0)
    right, seen = np.array([0]), np.zeros((len(lines), 4), np.int64)
    trace = Trace(0, "tokens", seen, right, right, np.array([[0.9, 0.1]]), ("home", "park"), lines=lines, read=weights)
    return trace._replace(step=np.arange(len(lines)), **fields)


def test_the_line_that_is_recalled_is_the_brightest() -> None:
    lines = ("mary went home", "john went home", "where is mary ?")
    trace = story(lines, np.array([[0.9, 0.05, 0.05]]), gate=np.array([1.0, 0.5, 0.0]))
    panel = text_panel(trace, "story").astype(int).sum(-1)
    top = len(label("", TEXT)) + 8 + ROW  # below the title and the head
    rows = [panel[top + ROW * row : top + ROW * (row + 1), 130:].mean() for row in range(3)]
    assert rows[0] > 1.2 * max(rows[1:])
    wrong = text_panel(trace._replace(answer=np.array([1])), "story")
    assert wrong.shape[1] >= panel.shape[1]
    assert memory_sheet([trace], "a", "b").shape[0] > len(panel)


def test_what_a_slot_holds_is_what_it_recalls() -> None:
    trace = story(("a", "b", "c"), np.array([[0.1, 0.7, 0.2]]))._replace(step=np.array([2, 1, -1]))
    assert trace.recalled.tolist() == [[0.0, 0.7, 0.1]]  # the first step has been overwritten


def test_of_a_hidden_story_the_lines_are_numbered_and_what_was_needed_is_green() -> None:
    trace = story(("a b", "c d"), np.full((1, 2), 0.5), question="where ?", line_numbers=np.array([12, 7]))
    plain = text_panel(trace, "story")
    needed = text_panel(trace._replace(needed=np.array([False, True])), "story")
    rows, columns = np.nonzero((plain != needed).any(-1))
    assert (rows > ROW * 3).all()  # below the title, the head and the first line
    assert columns.max() < 90
    mean = [panel[rows, columns].mean(0) for panel in (plain, needed)]
    assert mean[1][1] - mean[1][0] > 20 + mean[0][1] - mean[0][0]  # more green than red
    whole = text_panel(trace._replace(question=""), "story")
    assert whole.shape[1] < plain.shape[1], "a whole story needs no numbers"
    written = text_panel(trace._replace(gate=np.ones(2)), "story")
    assert written.shape[1] > plain.shape[1], "no gate, no column for it"


def test_heat_is_dark_at_nothing_and_brightest_at_one() -> None:
    assert lit(0.0) == GROUND
    picture = heat(np.array([[0.0, 1.0], [1.0, 0.0]]), 40, 80).astype(int).sum(-1)
    assert picture.shape == (40, 80)
    assert picture[0, 0] == picture[-1, -1] == sum(GROUND) < picture[-1, 0] == picture[0, -1]


@pytest.mark.parametrize("kind", ["episodic", "few slots", "hopfield", "dnc", "none", "sequence"])
def test_any_memory_can_be_watched(kind: str, babi: Recipe, copier: Recipe, tmp_path: Path) -> None:
    forms = {
        "episodic": EPISODIC,
        "few slots": replace(EPISODIC, memory_options=("slots=2", "width=16")),
        "hopfield": AgentConfig(width=16, core="none", memory="hopfield"),
        "dnc": AgentConfig(width=16, core="lstm", memory="dnc", memory_options=("slots=4", "width=5")),
        "none": AgentConfig(width=16, core="lstm"),
    }
    recipe = copier if kind == "sequence" else replace(babi, agent=forms[kind])
    save_atomically(begun(recipe).best_agent("a machine"), tmp_path / "agent.pt")
    traces = watch(tmp_path / "agent.pt", tmp_path / "memory.png", episodes=2)
    assert len(traces) == 2
    picture = cv2.imread(str(tmp_path / "memory.png"))
    assert picture is not None
    assert picture.std() > 5


def test_a_memory_is_drawn_as_a_still(babi: Recipe, tmp_path: Path) -> None:
    save_atomically(begun(babi).best_agent("a machine"), tmp_path / "agent.pt")
    with pytest.raises(ValueError, match=r"no \.apng"):
        watch(tmp_path / "agent.pt", tmp_path / "memory.apng")
