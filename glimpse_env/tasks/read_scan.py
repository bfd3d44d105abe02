"""Carry out a command that was read: its words come one a step, and then all actions are said."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Literal

import numpy as np
from gymnasium import spaces

from glimpse_env.backend import Backend
from glimpse_env.digest import digest_of
from glimpse_env.images import SPLITS, Split
from glimpse_env.rng import Array
from glimpse_env.scan import Partition, load_scan
from glimpse_env.tasks.arguments import check_choices, check_same
from glimpse_env.tasks.orders import chosen_rows
from glimpse_env.tasks.records import Story
from glimpse_env.tasks.sequence import LENGTH_STREAM, Script, SequenceTask
from glimpse_env.tasks.word_by_word import group_names, groups_of, rows_of

SAY = "<say>"
"""What is shown as the first action is to be said."""


class ReadScan(SequenceTask):
    """Carry out a command such as "jump twice after walk around left", which was read word by word.

    ## Description
    The words of a command are shown, one a step; then "<say>", and the actions are said, one a step, in silence. It is
    `Glimpse/Scan-v0` without a gaze: whatever is said must be recalled. An agent without a memory has what is left of the
    command in its state; one with a memory attends to the words. SCAN, of Lake & Baroni 2018.

    ## Action Space
    `Dict` of
    | key | space | meaning |
    |---|---|---|
    | `answer` | `Discrete(7)` | walk, look, run, jump, turn left, turn right, end; only those from "<say>" on count |

    ## Observation Space
    `Dict` of
    | key | space | meaning |
    |---|---|---|
    | `tokens` | `MultiDiscrete([16])` | a word, "<say>", or 0 |

    ## Rewards
    Of n actions, 1 / (n + 1) for each that is said right in its turn, and for the end. `info` has at every step `target`
    (0 where nothing is to be said), `scored` (whether the answer counts) and `correct` (whether it counts and is right; at
    the last step, whether all were), at `reset` `words` (how long the answer is with its end: a number of `group_names`), and at the
    end `is_success`.

    ## Starting State
    The command is a pure function of (seed, episode number), uniform over those of the split.

    ## Episode End
    `terminated` after as many steps as the command has words, and as are to be said, with the end: `env.lengths(seed,
    episodes)` gives them beforehand. Never truncated.

    ## Arguments
    | name | default | meaning |
    |---|---|---|
    | `partition`, `data`, `actions` | `"random"`, `None`, `None` | as of `Scan-v0` |
    | `split` | `"train"` | or `"validation"`, `"test"` |
    | `order` | `"random"` | or `"sequential"`: episode k is command k of the split |
    | `vocabulary`, `answers` | `None` | those of a trained agent: the same |
    | `render_mode` | `None` | or `"ansi"`: `render()` is a line a step, with the answer and the target |
    | `backend`, `device` | `"numpy"`, `None` | vector only: or `"torch"`, on the CPU or the device named, such as `"cuda"` |
    | `autoreset_mode` | `"NextStep"` | vector only: or `"SameStep"`, `"Disabled"` |

    ## Vectorized environment
    `gym.make_vec(id, num_envs=4096)`; with `backend="torch", device="cuda"` tensors in, tensors out.

    ## Version History
    * v0: the first.
    """

    paths = ("data",)
    splits = SPLITS
    one_answer = False
    group_key = "words"
    info_keys = ("words",)

    def __init__(
        self,
        backend: Backend,
        *,
        partition: Partition = "random",
        data: str | os.PathLike[str] | None = None,
        split: Split = "train",
        order: Literal["random", "sequential"] = "random",
        actions: int | None = None,
        vocabulary: Sequence[str] | None = None,
        answers: Sequence[str] | None = None,
    ) -> None:
        super().__init__(backend)
        check_choices(order=order)
        pairs = load_scan(partition, data, actions)
        self.pairs, self.order, self.source = pairs, order, pairs.source
        self.rows = rows_of(pairs, split)
        self.num_episodes = len(self.rows)
        self.sentences, self.counts, self.said, self.totals, self.named = (
            backend.asarray(column[self.rows])
            for column in (pairs.tokens, pairs.length, pairs.said, pairs.due, pairs.named)
        )
        self.words, self.answer_names = (*pairs.vocabulary.words, SAY), pairs.answers
        self.group_names = group_names(pairs.said.shape[1])
        check_same("the commands of SCAN", vocabulary=(vocabulary, self.words), answers=(answers, self.answer_names))
        self.horizon, self.max_answers = pairs.tokens.shape[1] + pairs.said.shape[1], pairs.said.shape[1]
        self.roles, self.action_roles = {"tokens": "tokens"}, {"answer": "class"}
        self.observation_space = spaces.Dict({"tokens": spaces.MultiDiscrete([len(self.words)])})
        self.action_space = spaces.Dict({"answer": spaces.Discrete(len(self.answer_names))})

    def names(self) -> dict[str, tuple[str, ...]]:  # noqa: D102
        return {"vocabulary": self.words, "answers": self.answer_names}

    def digest(self) -> str:  # noqa: D102
        return digest_of(self.rows, *(part for part in self.pairs if isinstance(part, np.ndarray)))

    def row(self, seeds: Array, episodes: Array) -> Array:
        """The command of each episode, (N,) int64, among those of the split."""
        return chosen_rows(seeds, episodes, len(self.rows), self.order, LENGTH_STREAM)

    def lengths(self, seeds: Array, episodes: Array) -> Array:  # noqa: D102
        row = self.row(seeds, episodes)
        return self.counts[row] + self.totals[row]

    def groups(self, seeds: Array, episodes: Array) -> Array:  # noqa: D102
        return groups_of(self.totals[self.row(seeds, episodes)])

    def story(self, seeds: Array, episodes: Array) -> Story:
        """The command as a story, each word of which is a line; nothing is asked."""
        xp, row = self.backend.xp, self.row(seeds, episodes)
        named, count = self.named[row], self.counts[row]
        turn = self.backend.rows(self.horizon)[None] - count[:, None]
        inside = (turn >= 0) & (turn < self.totals[row][:, None])
        at = self.backend.clip(turn, 0, named.shape[1] - 1)
        return Story(
            tokens=self.sentences[row][..., None],
            count=count,
            question=xp.zeros_like(row)[:, None],
            support=named,
            target=xp.full_like(row, len(self.answer_names) - 1),
            aligned=xp.where(inside, xp.take_along_axis(named, at, axis=1), -2),
        )

    def script(self, seeds: Array, episodes: Array) -> Script:  # noqa: D102
        xp, row = self.backend.xp, self.row(seeds, episodes)
        count, total = self.counts[row][:, None], self.totals[row][:, None]
        step = self.backend.rows(self.horizon + 1)[None]
        turn = self.backend.clip(step - count, 0, self.said.shape[1] - 1)
        place = self.backend.clip(step, 0, self.sentences.shape[1] - 1) + 0 * count
        word = xp.take_along_axis(self.sentences[row], place, axis=1)
        shown = xp.where(step < count, word, xp.where(step == count, len(self.words) - 1, 0))
        scored = (step >= count) & (step < count + total)
        target = xp.where(scored, xp.take_along_axis(self.said[row], turn, axis=1), 0)
        steps = (count + total)[:, 0]
        return Script(shown[..., None], target, scored, steps, {"words": groups_of(total[:, 0])})

    def show(self, value: np.ndarray) -> str:  # noqa: D102
        return self.words[int(value[0])] if value.ndim else self.answer_names[int(value)]
