"""What a memory did in an episode, and its pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from agents import AgentConfig, read
from agents.checkpoint import save_atomically
from runs.drawing.layout import GROUND
from runs.drawing.memory_pictures import memory_sheet, story_panel
from runs.drawing.weight_maps import heat, lit
from runs.environments import make_env
from runs.recipe import EnvConfig, Recipe
from runs.recording.recollections import Recollection, recollect
from runs.trainer import Trainer
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


def test_what_is_recollected_of_a_story_is_what_was_read(babi: Recipe) -> None:
    agent, env = begun(babi).agent.eval(), make_env(babi, "test", 1, CPU)
    memory = recollect(agent, env, 3, seed=0)
    reading = read(agent, env, np.array([3]), seed=0)
    answers = env.unwrapped.task.answers
    assert memory.answer == answers[int(reading.logits.argmax())]
    assert memory.truth == answers[int(reading.target[0])]
    assert memory.belief == pytest.approx(float(reading.logits.detach().softmax(-1).max()), abs=1e-5)
    assert memory.lines[-1].endswith("?")
    assert memory.recalled.shape == (2, len(memory.lines))
    np.testing.assert_allclose(memory.recalled.sum(1), 1, atol=1e-5)
    assert ((memory.gate > 0) & (memory.gate < 1)).all()


def test_what_is_recollected_of_a_hidden_story_is_what_was_looked_at(babi: Recipe) -> None:
    recipe = replace(babi, env=replace(babi.env, id="BabiGaze-v0", num_glimpses=3))
    agent, env = begun(recipe).agent.eval(), make_env(recipe, "test", 1, CPU)
    memory = recollect(agent, env, 3, seed=0)
    assert len(memory.lines) == 3
    assert memory.question.endswith("?")
    assert memory.recalled.shape == (2, 3)


def test_what_is_recollected_of_a_sequence(copier: Recipe) -> None:
    memory = recollect(begun(copier).agent.eval(), make_env(copier, "test", 1, CPU), 3, seed=0)
    length = len(memory.truth)
    assert memory.shown.shape == (2 * length + 1, 4)
    np.testing.assert_array_equal(memory.shown[:length, :3], memory.truth)
    assert memory.write.shape == (2 * length + 1, 6)
    assert memory.read.shape == (2 * length + 1, 1, 6)
    assert memory.gate is None
    assert memory.recalled is None


def test_the_line_that_is_recalled_is_the_brightest() -> None:
    lines = ["mary went home", "john went home", "where is mary ?"]
    recalled = np.array([[0.9, 0.05, 0.05]])
    memory = Recollection(
        np.zeros((3, 0)), lines, "", np.array([1.0, 0.5, 0.0]), recalled, None, None, "home", "home", 0.9
    )
    panel = story_panel(memory, "story").astype(int).sum(-1)
    rows = [panel[56 + 24 * row : 76 + 24 * row, 100:].mean() for row in range(3)]
    assert rows[0] > 1.2 * max(rows[1:])
    wrong = story_panel(memory._replace(answer="park"), "story")
    assert wrong.shape[1] >= panel.shape[1]
    assert memory_sheet([memory], "a", "b").shape[0] > len(panel)


def test_of_a_hidden_story_the_lines_are_numbered_and_what_was_needed_is_green() -> None:
    recalled, places = np.full((1, 2), 0.5), np.array([12, 7])
    memory = Recollection(
        np.zeros((2, 0)), ["a b", "c d"], "where ?", None, recalled, None, None, "home", "home", 0.9, places
    )
    plain = story_panel(memory, "story")
    needed = story_panel(memory._replace(needed=np.array([False, True])), "story")
    rows, columns = np.nonzero((plain != needed).any(-1))
    assert (rows > 24 * 3).all()  # below the title, the head and the first line
    assert columns.max() < 70
    mean = [panel[rows, columns].mean(0) for panel in (plain, needed)]
    assert mean[1][1] - mean[1][0] > 20 + mean[0][1] - mean[0][0]  # more green than red
    story = story_panel(memory._replace(places=None, question=""), "story")
    assert story.shape[1] < plain.shape[1], "a whole story needs no numbers"
    written = story_panel(memory._replace(gate=np.ones(2)), "story")
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
    save_atomically(begun(recipe).best_agent(), tmp_path / "agent.pt")
    memories = watch(tmp_path / "agent.pt", tmp_path / "memory.png", episodes=2)
    assert len(memories) == 2
    picture = cv2.imread(str(tmp_path / "memory.png"))
    assert picture is not None
    assert picture.std() > 5


def test_a_memory_is_drawn_as_a_still(babi: Recipe, tmp_path: Path) -> None:
    save_atomically(begun(babi).best_agent(), tmp_path / "agent.pt")
    with pytest.raises(ValueError, match=r"no \.apng"):
        watch(tmp_path / "agent.pt", tmp_path / "memory.apng")
