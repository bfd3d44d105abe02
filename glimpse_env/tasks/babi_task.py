"""What the tasks about bAbI stories share: the story and the question of an episode, and their words."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Literal

import numpy as np
from gymnasium import spaces

from glimpse_env.babi import SPLITS, TASK_NAMES, Language, Size, load_babi
from glimpse_env.babi_names import Renaming, renamed
from glimpse_env.backend import Backend
from glimpse_env.digest import digest_of
from glimpse_env.images import Split, check_split
from glimpse_env.notices import from_home
from glimpse_env.rng import Array
from glimpse_env.tasks.arguments import check_choices
from glimpse_env.tasks.base import Task
from glimpse_env.tasks.orders import chosen_rows
from glimpse_env.tasks.records import Outcome, State, Story


class BabiTask(Task):
    """What the two bAbI tasks share: the story and the question of an episode, and their words.

    Attributes:
        vocabulary: `glimpse_env.text.Vocabulary` of the tokens.
        sources: where each file came from, by names such as "qa3_train": a path, or "generator".
        stories: `glimpse_env.babi.Stories`, on the host.
        rows: (Q,) int64, the questions of this task and split in `stories`.
    """

    render_modes = ("ansi",)
    paths = ("data",)
    splits = SPLITS
    variety = ("rename",)
    group_key = "task"
    group_names = ("", *(f"{number} {name}" for number, name in enumerate(TASK_NAMES, 1)))

    def __init__(
        self,
        backend: Backend,
        *,
        task: int | Literal["joint"] = 1,
        size: Size = "1k",
        language: Language = "en",
        data: str | os.PathLike[str] | None = None,
        split: Split = "train",
        order: Literal["random", "sequential"] = "random",
        vocabulary: Sequence[str] | None = None,
        answers: Sequence[str] | None = None,
        rename: bool = False,
    ) -> None:
        super().__init__(backend)
        check_split(split)
        check_choices(order=order)
        if size == "100k" and split == "test" and vocabulary is not None and answers is not None:
            size = "10k"  # the same questions, and no others need be generated
        self.stories = stories = load_babi(task, size, language, data, vocabulary, answers)
        self.vocabulary, self.answer_names, self.sources = stories.vocabulary, stories.answers, stories.sources
        self.words, self.source = self.vocabulary.words, _summary(stories.sources)
        self.order, self.width = order, stories.sentences.shape[1]
        chosen = (stories.task == task) | (task == "joint")
        self.rows = np.flatnonzero(chosen & (stories.split == SPLITS.index(split)))
        if not len(self.rows):
            hint = "a training file of ten stories or more has some" if split == "validation" else "it lacks the file"
            raise ValueError(f"task {task} has no {split} questions in {self.source}: {hint}")
        self.num_episodes = len(self.rows)
        self.longest = int(stories.length[chosen].max())
        self.renaming = Renaming(self.vocabulary, self.answer_names, backend) if rename else None
        self.sentences, self.lines = backend.asarray(stories.sentences), backend.asarray(stories.lines)
        self.starts, self.counts, self.questions, self.classes, self.numbers, self.facts = (
            backend.asarray(column[self.rows].astype(np.int64))
            for column in (
                *(stories.start, stories.length, stories.question, stories.answer, stories.task, stories.support),
            )
        )

    def names(self) -> dict[str, tuple[str, ...]]:  # noqa: D102
        return {"vocabulary": self.words, "answers": self.answer_names}

    def digest(self) -> str:  # noqa: D102
        stories = self.stories
        return digest_of(self.rows, *(part for part in stories if isinstance(part, np.ndarray)))

    def question_index(self, seeds: Array, episodes: Array) -> Array:
        """The question of each episode, (N,) int64 in [0, number of questions), for seeds, episodes (N,) int64."""
        return chosen_rows(seeds, episodes, len(self.rows), self.order)

    def groups(self, seeds: Array, episodes: Array) -> Array:
        """The number of each episode's bAbI task, (N,) int64, for seeds, episodes (N,) int64."""
        return self.numbers[self.question_index(seeds, episodes)]

    def question_state(self, seeds: Array, episodes: Array) -> State:
        """The beginning of any state: `index` of the question, `target`, and `names` where they change."""
        index = self.question_index(seeds, episodes)
        state = {"index": index, "target": self.classes[index]}
        if self.renaming is not None:
            state["names"], state["target"] = self.renaming.draw(seeds, episodes, self.numbers[index], state["target"])
        return state

    def token_ids(self, state: State, sentences: Array) -> Array:
        """The ids of these rows of `sentences`, (N, …) int64, under the names of the episode: (N, … × words) int64."""
        tokens = self.backend.xp.astype(self.sentences[sentences], self.backend.xp.int64)
        tokens = tokens.reshape(sentences.shape[0], -1)
        return renamed(state["names"], tokens, self.backend.xp) if "names" in state else tokens

    def row_names(self, state: State, row: int) -> np.ndarray | None:
        """The new name of each word in a row, (symbols,); None where names do not change."""
        return self.backend.to_numpy(state["names"][row]) if "names" in state else None

    def line_rows(self, index: Array, line: Array) -> Array:
        """Rows of `sentences`, (N, …) int64, of line `line` (N, …) int64 of the story of question `index` (N,)."""
        xp = self.backend.xp
        start = xp.reshape(self.starts[index], (-1, *[1] * (line.ndim - 1)))
        return xp.astype(self.lines[start + line], xp.int64)

    def story(self, seeds: Array, episodes: Array) -> Story:  # noqa: D102
        xp, state = self.backend.xp, self.question_state(seeds, episodes)
        index, count = state["index"], self.counts[state["index"]]
        lines = xp.arange(self.longest, device=self.backend.device)[None]
        inside = lines < count[:, None]
        tokens = self.token_ids(state, self.line_rows(index, xp.where(inside, lines, 0)))
        tokens = xp.where(inside[..., None], tokens.reshape(*inside.shape, -1), 0)
        question = self.token_ids(state, self.questions[index])
        return Story(tokens, count, question, self.facts[index], state["target"])

    def score(self, state: State, answer: Array, terminated: Array) -> Outcome:
        """The outcome of an answer (N,) in the next state: only where the episode ends, (N,) bool, does it earn."""
        correct = answer == state["target"]
        reward = self.backend.xp.astype(correct & terminated, self.backend.xp.float32)
        state = {**state, "answer": self.backend.copy(answer)}
        return Outcome(state, reward, terminated, {**self.info(state), "scored": terminated, "correct": correct})

    def line_text(self, index: int, line: int, names: np.ndarray | None = None) -> str:
        """The words of line `line` of the story of question `index`, with other `names` (symbols,) where given."""
        words = self.stories.sentences[self.stories.lines[self.stories.start[self.rows[index]] + line]]
        return self.vocabulary.decode(words if names is None else names[words])

    def question_text(self, index: int, names: np.ndarray | None = None) -> str:
        """The words of question `index`, with other `names` (symbols,) where given."""
        words = self.stories.sentences[self.stories.question[self.rows[index]]]
        return self.vocabulary.decode(words if names is None else names[words])

    def answer_text(self, state: State, row: int) -> str:
        """The last answer of a row, and the right one, once the episode has ended."""
        answer, target = int(state["answer"][row]), int(state["target"][row])
        right = self.answer_names[target] if target >= 0 else "an answer that is not known"
        result = "right" if answer == target else f"wrong, it is {right}"
        return f"answer: {self.answer_names[answer]} ({result})"

    def title(self, state: State, row: int) -> str:
        """The number and name of the bAbI task of a row."""
        number = int(self.numbers[state["index"][row]])
        return f"bAbI task {number}, {TASK_NAMES[number - 1]}"


def _summary(sources: dict[str, str]) -> str:
    """The places of files in words: "/babi/en", "generator", "/babi/en-10k (39 files), generator (qa3_train)"."""
    by_place: dict[str, list[str]] = {}
    for name, place in sources.items():
        by_place.setdefault(from_home(place), []).append(name)
    if len(by_place) == 1:
        return next(iter(by_place))
    return ", ".join(
        f"{place} ({', '.join(names) if len(names) < 4 else f'{len(names)} files'})"
        for place, names in by_place.items()
    )


def tokens(vocabulary: int, words: int) -> spaces.MultiDiscrete:
    """The space of a padded row of ids: categories, which nothing may take for quantities."""
    return spaces.MultiDiscrete([vocabulary] * words)
