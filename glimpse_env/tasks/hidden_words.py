"""What tasks share in which a text is hidden, and its words are fixated one at a time."""

from __future__ import annotations

from abc import abstractmethod
from typing import Literal, NamedTuple

import numpy as np
from gymnasium import spaces

from glimpse_env.backend import Backend
from glimpse_env.path_metrics import story_coverage
from glimpse_env.rng import Array
from glimpse_env.tasks.arguments import check_choices, check_counts
from glimpse_env.tasks.base import box
from glimpse_env.tasks.hidden_lines import HiddenLines
from glimpse_env.tasks.records import Outcome, State, Story
from glimpse_env.text import Vocabulary


class Texts(NamedTuple):
    """The texts of N episodes.

    Attributes:
        tokens: (N, L) int64, ids of the words, padded with 0.
        count: (N,) int64, words of each text.
        place: (N,) int64, the word that is asked about, from 0.
        question: (N,) int64, the id of what is asked.
        target: (N,) int64, the class of the right answer, -1 where none is.
        gold: (N, F) int64, the words that the answer rests on, from 0, padded with -1.
        group: (N,) int64, the kind of each episode.
    """

    tokens: Array
    count: Array
    place: Array
    question: Array
    target: Array
    gold: Array
    group: Array


class HiddenWords(HiddenLines):
    """A hidden text, a question about one of its words, and a gaze along its words.

    A glimpse is a retina for text: the fixated word, and around it a periphery that gets coarser with distance, the
    words within the 3, the 9, … around, without their order. The first fixation is the word that is asked about.

    A subclass sets `vocabulary`, `answer_names` and `longest`, calls `hide`, and writes the `texts` of episodes.
    """

    vocabulary: Vocabulary
    longest: int
    render_modes = ("ansi",)

    def hide(self, num_glimpses: int, scales: int, saccades: Literal["absolute", "relative"], known: bool) -> None:
        """Set the spaces and roles.

        Args:
            num_glimpses: steps of an episode, the first at the word that is asked about.
            scales: of the periphery.
            saccades: what a place of an action is.
            known: whether it is known what answers rest on, so that looks at it can be counted.

        Raises:
            ValueError: for a number out of its range.
        """
        check_counts(num_glimpses=num_glimpses, scales=scales)
        check_choices(saccades=saccades)
        if scales > 4:
            raise ValueError(f"scales must be 1 to 4 (3 to 81 words), got {scales}")
        self.horizon, self.scales, self.saccades = int(num_glimpses), int(scales), saccades
        self.words = self.vocabulary.words
        self.gazes = ("random", "nearest", "oracle") if saccades == "absolute" else ()
        self.episode_metrics = ("hit",) if known else ()
        ids = len(self.vocabulary)
        parts: dict[str, tuple[str, spaces.Space]] = {
            "question": ("tokens", spaces.MultiDiscrete([ids])),
            "tokens": ("tokens", spaces.MultiDiscrete([ids])),
            "around": ("around", spaces.MultiDiscrete([ids] * sum(spans_of(self.scales)))),
            "location": ("place", box(-1, 1, (1,))),
            "distance": ("values", box(-self.longest, self.longest, (1,))),
            "count": ("count", box(1, self.longest, (1,))),
            "time": ("clock", box(0, 1, (1,))),
        }
        self.roles = {name: role for name, (role, _) in parts.items()}
        self.observation_space = spaces.Dict({name: space for name, (_, space) in parts.items()})
        self.action_roles = {"location": "place" if saccades == "absolute" else "saccade", "answer": "class"}
        self.action_space = spaces.Dict(
            {"location": box(-1, 1, (1,)), "answer": spaces.Discrete(max(1, len(self.answer_names)))}
        )

    @abstractmethod
    def texts(self, seeds: Array, episodes: Array) -> Texts:
        """What these episodes (N,) int64 are about."""

    def names(self) -> dict[str, tuple[str, ...]]:  # noqa: D102
        return {"vocabulary": self.words, "answers": self.answer_names}

    def begin(self, seeds: Array, episodes: Array) -> State:  # noqa: D102
        xp, made = self.backend.xp, self.texts(seeds, episodes)
        path = xp.full((seeds.shape[0], self.horizon), -1, dtype=xp.int64, device=self.backend.device)
        path[:, 0] = made.place
        zero = xp.zeros_like(made.count)
        return {**made._asdict(), "word": self.backend.copy(made.place), "path": path, "time": zero, "answer": zero - 1}

    def observe(self, state: State) -> dict[str, Array]:  # noqa: D102
        xp, rows = self.backend.xp, self.backend.rows(state["count"].shape[0])
        word, count = state["word"], state["count"]

        def column(value: Array) -> Array:
            return xp.astype(value, xp.float32)[:, None]

        time = column(state["time"])
        return {
            "question": self.backend.copy(state["question"])[:, None],
            "tokens": state["tokens"][rows, word][:, None],
            "around": words_around(self.backend, state["tokens"], word, count, spans_of(self.scales)),
            "location": self.centre(word, count)[:, None],
            "distance": column(word - state["place"]),
            "count": column(count),
            "time": time / xp.full_like(time, self.horizon),  # an array of divisors: see `Retina`
        }

    def act(self, state: State, action: dict[str, Array]) -> Outcome:  # noqa: D102
        xp, time = self.backend.xp, state["time"] + 1
        terminated = time >= self.horizon
        location = action["location"][:, 0]
        if self.saccades == "relative":
            location = self.centre(state["word"], state["count"]) + location
        word = xp.where(terminated, state["word"], self.line_at(location.clip(-1.0, 1.0), state["count"]))
        state["path"][self.backend.rows(time.shape[0]), self.backend.clip(time, 0, self.horizon - 1)] = word
        correct = self.right(state, action["answer"])
        reward = xp.astype(correct & terminated, xp.float32)
        after = {**state, "word": word, "time": time, "answer": self.backend.copy(action["answer"])}
        return Outcome(after, reward, terminated, {**self.info(after), "scored": terminated, "correct": correct})

    def right(self, state: State, answer: Array) -> Array:
        """(N,) bool, whether the episode is right so far: here, whether the answer is."""
        return answer == state["target"]

    def info(self, state: State) -> dict[str, Array]:  # noqa: D102
        found = {"target": self.backend.copy(state["target"])}
        if self.group_key:
            found[self.group_key] = self.backend.copy(state["group"])
        return {**found, "hit": self.share_seen(state["gold"], state["path"])} if self.episode_metrics else found

    def story(self, seeds: Array, episodes: Array) -> Story:
        """The text as a story, each word of which is a line."""
        made = self.texts(seeds, episodes)
        return Story(made.tokens[..., None], made.count, made.question[:, None], made.gold, made.target)

    def groups(self, seeds: Array, episodes: Array) -> Array:  # noqa: D102
        return self.texts(seeds, episodes).group if self.group_key else super().groups(seeds, episodes)

    def scripted(self, name: str, seeds: Array, episodes: Array) -> Array:
        """The "nearest": the next word, the one before, the next but one, …; the "oracle": the words that the answer rests
        on in turn."""
        xp, made = self.backend.xp, self.texts(seeds, episodes)
        step = self.backend.rows(self.horizon)[None, 1:]
        if name == "nearest":
            word = made.place[:, None] + xp.where(step % 2 == 1, (step + 1) // 2, -(step // 2))
        else:
            named = xp.sum(xp.astype(made.gold >= 0, xp.int64), axis=1)[:, None]
            turn = (step - 1) % self.backend.clip(named, 1, None)
            word = xp.where(named > 0, xp.take_along_axis(made.gold, turn, axis=1), made.place[:, None])
        count = made.count[:, None]
        return self.centre(xp.minimum(self.backend.clip(word, 0, None), count - 1), count)[..., None]

    def path_metrics(self, path: np.ndarray, seeds: np.ndarray, episodes: np.ndarray) -> dict[str, float]:
        """Saccades and entropy, and the share of the text's words that were fixated."""
        made = self.texts(*map(self.backend.asarray, (seeds, episodes)))
        covered = story_coverage(path, self.backend.to_numpy(made.count))
        return {**super().path_metrics(path, seeds, episodes), "attention/coverage": covered}

    def render(self, state: State, row: int, mode: str) -> str:
        """The words that were fixated, the present one marked, a dot for each other; and at the end the answer."""
        time, count, word = (int(state[key][row]) for key in ("time", "count", "word"))
        seen = set(self.backend.to_numpy(state["path"][row]).tolist())
        tokens, gold = self.backend.to_numpy(state["tokens"][row])[:count], self.backend.to_numpy(state["gold"][row])
        shown = [self.words[token] if place in seen else "·" for place, token in enumerate(tokens.tolist())]
        shown[word] = f"[{shown[word]}]"
        lines = [f"{self.words[int(state['question'][row])]}? glimpse {min(time + 1, self.horizon)} of {self.horizon}"]
        lines += [" ".join(shown)]
        if time >= self.horizon:
            lines.append(
                self.verdict({key: int(state[key][row]) for key in ("answer", "target", "word")}, tokens, gold)
            )
        return "\n".join(lines)

    def verdict(self, end: dict[str, int], tokens: np.ndarray, gold: np.ndarray) -> str:
        """The end of an episode in words.

        Args:
            end: `answer`, `target` and `word`, the fixated one.
            tokens: (n,) int64, of the text.
            gold: (F,) int64, the words that the answer rests on.
        """
        answer, target = end["answer"], end["target"]
        right = self.answer_names[target] if target >= 0 else "what is not among the answers"
        return f"{self.answer_names[answer]} ({'right' if answer == target else f'wrong: {right}'})"


def spans_of(scales: int) -> list[int]:
    """How many words each scale of the periphery holds: 3, 9, …"""
    return [3 ** (scale + 1) for scale in range(scales)]


def words_around(backend: Backend, tokens: Array, word: Array, count: Array, spans: list[int]) -> Array:
    """The words around the fixated one, of each scale in the order of their ids.

    Args:
        backend: that of the arrays.
        tokens: (N, L) int64, ids of the words, padded with 0.
        word: (N,) int64, the fixated one, from 0.
        count: (N,) int64, words of each text.
        spans: odd numbers, words of each scale.

    Returns:
        (N, 3 + 9 + …) int64, padded with 0.
    """
    xp, scales = backend.xp, []
    for span in spans:
        place = word[:, None] + xp.arange(-(span // 2), span // 2 + 1, device=backend.device)
        inside = (place >= 0) & (place < count[:, None])
        ids = xp.take_along_axis(tokens, xp.where(inside, place, 0), axis=1)
        scales.append(xp.sort(xp.where(inside, ids, 0), axis=1))
    return xp.concat(scales, axis=1)
