"""New names: the story stays as good a story, by the independent solver's judgement."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from babi_solver import answer

from glimpse_env.babi_names import INTERCHANGEABLE, Renaming
from glimpse_env.backend import get_backend
from glimpse_env.tasks import make_task
from glimpse_env.text import Vocabulary

PEOPLE = set(" ".join(names for _, names in INTERCHANGEABLE[:8]).split())
STORIES = 60


def written(words: str) -> str:
    """A sentence as the files have it: capitals, and a full stop or the mark of a question."""
    words = " ".join(word.capitalize() if word in PEOPLE else word for word in words.split())
    words = words[0].upper() + words[1:]
    return words.replace(" ?", "?") if words.endswith("?") else words + "."


def task_of(number: int, data: str | None, **kwargs: Any) -> Any:
    return make_task("Babi-v0", get_backend("numpy"), task=number, data=data, **kwargs)


@pytest.mark.parametrize("number", range(1, 21))
def test_a_renamed_story_answers_its_renamed_question(number: int, real_babi: str) -> None:
    task = task_of(number, f"{real_babi}/babi/en", rename=True)
    state = task.begin(np.full(STORIES, 3), np.arange(STORIES))
    for row in range(STORIES):
        index, names = int(state["index"][row]), state["names"][row]
        story = [written(task.line_text(index, place, names)) for place in range(int(task.counts[index]))]
        found = answer(story, written(task.question_text(index, names))).lower()
        expected = task.answer_names[int(state["target"][row])]
        if number in (5, 8):  # the released files are not always of one mind: see the generator's tests
            original = [written(task.line_text(index, place)) for place in range(int(task.counts[index]))]
            old = task.answer_names[int(task.classes[index])]
            if answer(original, written(task.question_text(index))).lower() != old:
                continue
        assert found == expected, story
    identity = np.arange(state["names"].shape[1])
    changed = (state["names"] != identity).any(1).mean()
    assert changed == 0 if number == 18 else changed > 0.8


def test_names_are_a_permutation_within_their_kind(real_babi: str) -> None:
    task = task_of(11, f"{real_babi}/babi/en", rename=True)
    state = task.begin(np.full(200, 1), np.arange(200))
    words = np.array(task.vocabulary.words)
    for names in state["names"]:
        assert sorted(names) == list(range(len(names)))
        for kind in ("daniel john", "mary sandra"):
            ids = task.vocabulary.encode(kind)
            assert set(words[names[ids]]) == set(kind.split())
    johns = words[state["names"][:, task.vocabulary.encode("john")[0]]]
    assert 0.35 < (johns == "daniel").mean() < 0.65


def test_what_is_shown_and_wanted_is_renamed_and_nothing_else(real_babi: str) -> None:
    folder = f"{real_babi}/babi/en"
    plain, other = (
        gym.make("glimpse_env:Glimpse/Babi-v0", task=1, data=folder, rename=rename, render_mode="ansi")
        for rename in (False, True)
    )
    for env in (plain, other):
        env.reset(seed=5)
    names = other.unwrapped._state["names"][0]
    assert (names != np.arange(len(names))).any()
    done = False
    while not done:
        first, second = (env.unwrapped.task.observe(env.unwrapped._state)["tokens"][0] for env in (plain, other))
        np.testing.assert_array_equal(names[first], second)
        target = int(other.unwrapped._state["target"][0])
        _, reward, done, _, info = other.step({"answer": target})
        plain.step({"answer": target})
    assert reward == 1.0
    assert info["target"] == target
    assert "right" in other.render()
    assert other.render() != plain.render()


def test_an_answer_that_no_class_names_keeps_the_storys_names() -> None:
    vocabulary = Vocabulary(["apple", "football", "milk", "john"])
    renaming = Renaming(vocabulary, ["apple", "milk,football"], get_backend("numpy"))
    seeds, tasks = np.full(300, 1), np.full(300, 8)
    names, answers = renaming.draw(seeds, np.arange(300), tasks, np.full(300, 1))
    kept = (names == np.arange(names.shape[1])).all(1)
    np.testing.assert_array_equal(answers, 1)  # no other order of two things is an answer
    assert kept.all()
    names, answers = renaming.draw(seeds, np.arange(300), tasks, np.zeros(300, np.int64))
    assert (names[:, vocabulary.encode("apple")[0]] == vocabulary.encode("apple")[0]).all()
    assert (answers == 0).all()


def test_a_hidden_story_is_renamed_line_periphery_and_question(real_babi: str) -> None:
    folder = f"{real_babi}/babi/en"
    plain, other = (
        make_task("BabiGaze-v0", get_backend("numpy"), task=2, data=folder, rename=rename) for rename in (False, True)
    )
    seeds, episodes = np.full(20, 5), np.arange(20)
    first, second = (task.begin(seeds, episodes) for task in (plain, other))
    before, after = plain.observe(first), other.observe(second)
    assert (second["names"] != np.arange(second["names"].shape[1])).any(1).all()
    for row, names in enumerate(second["names"]):
        for key in ("question", "tokens"):
            np.testing.assert_array_equal(after[key][row], names[before[key][row]])
        words = len(plain.vocabulary)
        np.testing.assert_array_equal(after["periphery"][row][:, names[:words]], before["periphery"][row])
