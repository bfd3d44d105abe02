"""Winograd's pairs: what the texts are, that nothing but both sentences tells, and how pairs are counted."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from glimpse_env.backend import get_backend
from glimpse_env.images import SPLITS
from glimpse_env.tasks.pronoun import Pronoun
from glimpse_env.winograd import FRAMES, HELD_OUT, NOUNS, last_word_rule, make_winograd
from runs.twins import Twins

TEXTS = make_winograd()


def words_of(row: int) -> list[str]:
    return TEXTS.vocabulary.decode(TEXTS.tokens[row]).split()


def test_twins_differ_in_what_is_said_of_it_and_mean_the_other_thing() -> None:
    for row in range(0, 400, 2):
        one, other = words_of(row), words_of(row + 1)
        place = int(TEXTS.place[row])
        assert one[:place] == other[:place]
        assert one[place] == other[place] == "it"
        assert one != other
        assert TEXTS.second[row] + TEXTS.second[row + 1] == 1
        _, first, second = TEXTS.gold[row]
        assert first < second < place
        assert {one[first], one[second]} <= set(NOUNS)
        frame = next(
            (frame, ends) for frame, *ends in FRAMES if all(word in one for word in frame.split() if word[0] != "{")
        )
        means = {" ".join(one[place:]): one, " ".join(other[place:]): other}
        assert set(means) == set(frame[1])


def test_nouns_of_the_test_are_new_and_no_rule_of_surface_is_right_more_than_by_chance() -> None:
    held = set(NOUNS[-HELD_OUT:])
    for split, name in enumerate(SPLITS):
        rows = np.flatnonzero(TEXTS.split == split)
        assert TEXTS.second[rows].mean() == 0.5
        seen = {word for row in rows[:4000] for word in words_of(row)} & set(NOUNS)
        assert seen == (held if name == "test" else set(NOUNS) - held)
        assert last_word_rule(TEXTS, name) == pytest.approx(50, abs=3)


@pytest.mark.parametrize("place", ["numpy", "cpu"])
def test_it_is_looked_at_first_and_the_oracle_sees_all_that_counts(place: str) -> None:
    backend = get_backend("numpy") if place == "numpy" else get_backend("torch", place)
    task = Pronoun(backend, split="test", order="sequential")
    numbers = backend.asarray(np.zeros(50, np.int64)), backend.asarray(np.arange(50))
    state, places = task.begin(*numbers), task.gaze("oracle", *numbers)
    shown = backend.to_numpy(task.observe(state)["tokens"])[:, 0]
    assert {TEXTS.vocabulary.words[token] for token in shown} == {"it"}
    for step in range(task.horizon):
        action = {"location": places[:, min(step, task.horizon - 2)], "answer": task.info(state)["target"]}
        outcome = task.act(state, action)
        state = outcome.state
    assert backend.to_numpy(outcome.reward).all()
    assert (backend.to_numpy(outcome.info["hit"]) == 1).all()
    with pytest.raises(ValueError, match="these texts have one vocabulary"):
        Pronoun(backend, vocabulary=("other",))


def test_pairs_are_right_where_both_twins_are() -> None:
    twins = Twins()
    assert twins.report() == {}

    class Played:
        def __init__(self, episodes: list[int], right: list[bool]) -> None:
            self.episodes = np.array(episodes)
            self.hits = torch.tensor(right)[None, :, None]

        def last(self) -> torch.Tensor:
            return torch.zeros(len(self.episodes), dtype=torch.int64)

    twins(Played([0, 1, 2, 3], [True, True, True, False]), 4)  # type: ignore[arg-type]
    twins(Played([4, 5, 6, 0], [False, False, True, False]), 3)  # type: ignore[arg-type]
    assert twins.report() == {"pair_consistency_rate": pytest.approx(100 / 3, abs=1e-3)}
