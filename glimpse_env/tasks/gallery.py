"""Walk past several pictures, each seen through a few glimpses, and answer questions about them afterwards."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from gymnasium import spaces

from glimpse_env.backend import Backend
from glimpse_env.gallery_questions import DRAWS, KINDS, MOST, WORDS, Asker
from glimpse_env.images import SPLITS, Split
from glimpse_env.path_metrics import hit_rate
from glimpse_env.rng import Array, draw_words
from glimpse_env.tasks.arguments import check_choice, check_choices, check_counts
from glimpse_env.tasks.classify import Classify
from glimpse_env.tasks.delays import Delays, checked_delays
from glimpse_env.tasks.records import Schedule, State
from glimpse_env.tasks.walk import Walk

QUESTION_STREAM, NOISE_STREAM, NUMBER_STREAM = 1, 2, 3
"""The random streams of questions, of noise and of the pictures' numbers; 0 makes each picture, under a number of its own."""

STRIDE = MOST
"""Numbers of pictures that an episode takes."""

NOISE_CELLS = 8
"""Cells along each side of a canvas of noise."""


class Gallery(Walk):
    """Walk past several pictures, each seen through a few glimpses, and answer questions about them afterwards.

    ## Description
    The pictures are those of `Classify-v0`: digits, clothes, letters, or your own images, on cluttered canvases. After
    them come `delay` steps of noise, and then questions in words: what was in the third picture, in which picture was the
    first boot, how many pictures had a seven, was what is shown now there before, which of two came first. What is asked
    decides nothing of what is shown, so that all of it is to be remembered.

    ## Action Space
    `Dict` of
    | key | space | meaning |
    |---|---|---|
    | `location` | `Box(-1, 1, (2,), float32)` | the next fixation, x right, y down; clipped to the canvas. With `saccades="relative"`, a step from the present fixation. Without effect where another canvas follows: its first fixation is the centre |
    | `answer` | `Discrete` | a class, a place from first to twelfth, a count from 0 to 12, yes or no, in this order; only those at the last step of a question count |

    ## Observation Space
    `Dict` of
    | key | space | meaning |
    |---|---|---|
    | `glimpse` | `Box(0, 1, (scales, channels, height, width), float32)` | the retina's patches, finest first; zero outside the canvas, and with a question that shows nothing |
    | `location` | `Box(-1, 1, (2,), float32)` | the present fixation |
    | `tokens` | `MultiDiscrete` of 9 words | the question; zeros while there is none |
    | `picture` | `Box(0, 1, (13,), float32)` | which picture is shown, one of twelve; the last: none of them |
    | `time` | `Box(0, 1, (1,), float32)` | steps taken, as a share of the episode |

    ## Rewards
    1 / questions for each right answer. `info` has at every step `target` (of the question that is due, or will be next),
    `question` (its kind, 0 to 4), `scored`, `correct`, and at the end `is_success`.

    ## Starting State
    A pure function of (seed, episode number). Pictures are uniform over those of the split, and each kind of question is
    as likely.

    ## Episode End
    `terminated` after pictures * num_glimpses + delay + questions * looks steps. Never truncated.

    ## Arguments
    | name | default | meaning |
    |---|---|---|
    | `pictures` | 6 | of a walk, from 1 to 12 |
    | `num_glimpses` | 4 | glimpses of each picture |
    | `looks` | 1 | steps of each question, and glimpses of what it shows: a picture in the middle, without clutter |
    | `numbers` | `"first"` | that the pictures bear: from the first on; or `"any"`, as many of twelve in increasing order, drawn in each episode. Who was trained with these knows all the numbers of a longer walk |
    | `delay` | 0 | steps of noise between the pictures and the questions; of several numbers each episode draws one |
    | `questions` | 1 | of an episode, one after the other: in training the same walk serves several |
    | `kinds` | all | of `"what"`, `"where"`, `"count"`, `"seen"` and `"order"`, one name or several |
    | `whole` | `False` | the twin that sees the whole walk at once: one glimpse of all canvases side by side, and of what the question shows, pixel by pixel; `patch` and `scales` are then theirs. With one question |
    | `dataset` | `"mnist"` | or `"fashion_mnist"`, `"kmnist"`, or `None` with `images` |
    | `images`, `labels`, `names`, `classes`, `resize`, `fit`, `channels` | | your own, as in `Classify-v0` |
    | `split` | `"train"` | or `"validation"`, `"test"` |
    | `order` | `"random"` | or `"sequential"`: the first picture of episode k is image k of the split |
    | `size`, `pieces`, `piece_size`, `blend` | 60, 4, 8, `"add"` | of the canvases, as in `Classify-v0` |
    | `patch`, `scales` | 12, 3 | of the retina |
    | `saccades` | `"absolute"` | or `"relative"` |
    | `render_mode` | `None` | or `"rgb_array"`: `render()` draws the present canvas and the gaze upon it |
    | `backend`, `device` | `"numpy"`, `None` | vector only: or `"torch"`, on the CPU or the device named |
    | `autoreset_mode` | `"NextStep"` | vector only: or `"SameStep"`, `"Disabled"` |

    ## Vectorized environment
    `gym.make_vec(id, num_envs=256)`; with `backend="torch", device="cuda"` tensors in, tensors out.

    ## Version History
    * v0: the first.
    """

    paths = ("images",)
    splits = SPLITS
    variety = ("questions",)
    group_key = "question"
    group_names = tuple(KINDS)

    def __init__(
        self,
        backend: Backend,
        *,
        pictures: int = 6,
        num_glimpses: int = 4,
        looks: int = 1,
        numbers: Literal["first", "any"] = "first",
        delay: int | Sequence[int] = 0,
        questions: int = 1,
        kinds: str | Sequence[str] = tuple(KINDS),
        whole: bool = False,
        dataset: str | None = "mnist",
        images: str | os.PathLike[str] | Any = None,
        split: Split = "train",
        order: Literal["random", "sequential"] = "random",
        size: int | tuple[int, int] | None = 60,
        pieces: int = 4,
        patch: int | tuple[int, int] = 12,
        scales: int = 3,
        saccades: Literal["absolute", "relative"] = "absolute",
        **shown: Any,
    ) -> None:
        check_counts(pictures=pictures, num_glimpses=num_glimpses, looks=looks, questions=questions)
        lengths = checked_delays(delay)
        if pictures > MOST:
            raise ValueError(f"pictures must be at most {MOST}, got {pictures}")
        if whole and questions > 1:
            raise ValueError("whole=True shows the walk and one question at once: set questions=1")
        if whole and numbers != "first":
            raise ValueError('whole=True shows all pictures side by side, without numbers: leave out numbers="any"')
        check_choices(order=order)
        check_choice("numbers", numbers, ("first", "any"))
        self.scenes = Classify(
            backend, dataset=dataset, images=images, split=split, size=size, pieces=pieces, num_glimpses=1, **shown
        )
        height, width = self.scenes.canvas_size
        self.full, self.pictures, self.questions = bool(whole), int(pictures), int(questions)
        if whole:
            patch, scales = (height, width * (pictures + 1)), 1
        super().__init__(backend, patch=patch, scales=scales, saccades=saccades)
        self.asker = Asker(self.scenes.answer_names, (kinds,) if isinstance(kinds, str) else tuple(kinds), backend)
        self.words, self.answer_names = self.asker.vocabulary.words, self.asker.answers
        self.numbers, self.order, self.num_episodes = numbers, order, self.scenes.num_episodes
        self.source = self.scenes.source
        self.gazes = (*self.gazes, "oracle") if self.gazes else ()
        by_class = np.argsort(backend.to_numpy(self.scenes.labels), kind="stable")
        counts = np.bincount(backend.to_numpy(self.scenes.labels), minlength=self.asker.classes)
        self.one_of = backend.asarray(np.eye(MOST + 1), "float32")
        self.by_class, self.counts = backend.asarray(by_class), backend.asarray(counts)
        self.starts = backend.asarray(np.cumsum(counts) - counts)
        schedule = self._schedule(int(num_glimpses), max(lengths), int(looks))
        noise = (schedule.shown >= self.pictures) & (schedule.shown < self.first_question)
        self.walk(
            self.scenes.images.shape[1],
            (height, width * (pictures + 1) if whole else width),
            schedule,
            {
                "tokens": ("tokens", spaces.MultiDiscrete(np.full(WORDS, len(self.words)))),
                "picture": ("values", spaces.Box(0, 1, (MOST + 1,), np.float32)),
            },
            spaces.Discrete(len(self.answer_names)),
            delays=Delays(np.where(noise, 0, -1), lengths),
        )

    def _schedule(self, glimpses: int, delay: int, looks: int) -> Schedule:
        """Canvases 0 to K - 1 are the pictures, then each step of noise is one, then each question."""
        self.first_question, self.glimpses = self.pictures, glimpses
        if self.full:
            return Schedule(np.zeros(1, np.int64), np.zeros(1, np.int64), np.ones(1, bool))
        lengths = [glimpses] * self.pictures + [1] * delay + [looks] * self.questions
        shown = np.repeat(np.arange(len(lengths)), lengths)
        self.first_question += delay
        asked = np.maximum(shown - self.first_question, 0)
        last = np.append(np.diff(shown) > 0, True)
        return Schedule(shown, asked, last & (shown >= self.first_question))

    def names(self) -> dict[str, tuple[str, ...]]:  # noqa: D102
        return {"classes": self.scenes.answer_names}

    def digest(self) -> str:  # noqa: D102
        return self.scenes.digest()

    def numbered(self, episodes: Array) -> Array:
        """The numbers of the walks (N,) that these episodes show: in order, each image of the split begins one."""
        return episodes % self.num_episodes if self.order == "sequential" else episodes

    def compose(self, seeds: Array, episodes: Array) -> State:  # noqa: D102
        xp, n, count, walks = self.backend.xp, seeds.shape[0], self.pictures, self.numbered(episodes)
        numbers = walks[:, None] * STRIDE + self.backend.rows(count)
        rows = xp.reshape(xp.tile(seeds[:, None], (1, count)), (-1,)), xp.reshape(numbers, (-1,))
        index = xp.reshape(self.scenes.planned(*rows).index, (n, count))
        if self.order == "sequential":
            index[:, 0] = walks
        words = draw_words(seeds, walks, self.questions * (DRAWS + 1), QUESTION_STREAM)
        words = xp.reshape(words, (n, self.questions, DRAWS + 1))
        names = self._names(seeds, walks)
        asked = self.asker.ask(words[..., :DRAWS], self.scenes.labels[index], names)
        probe = self.backend.clip(asked.probe, 0, None)
        drawn = self.starts[probe] + (words[..., DRAWS] * self.counts[probe] >> 32)
        return {
            "index": xp.concat([index, self.by_class[self.backend.clip(drawn, 0, len(self.by_class) - 1)]], axis=1),
            "names": names,
            "target": asked.target,
            "tokens": asked.tokens,
            "kind": asked.kind,
            "support": asked.support,
            "probed": asked.probe >= 0,
        }

    def _names(self, seeds: Array, walks: Array) -> Array:
        """The numbers that the pictures of these walks bear, from 0, (N, K) int64."""
        xp, count = self.backend.xp, self.pictures
        if self.numbers == "first":
            return xp.tile(self.backend.rows(count), (seeds.shape[0], 1))
        drawn = xp.argsort(draw_words(seeds, walks, MOST, NUMBER_STREAM), axis=1, stable=True)
        return xp.sort(drawn[:, :count], axis=1)

    def walk_labels(self, seed: int, episode: int) -> tuple[str, ...]:
        """The numbers that the pictures bear, from 1."""
        seeds, episodes = (self.backend.asarray(np.array([number], np.int64)) for number in (seed, episode))
        names = self.backend.to_numpy(self._names(seeds, self.numbered(episodes)))[0]
        return tuple(str(name + 1) for name in names)

    def present(self, state: State) -> Array:  # noqa: D102
        xp, now = self.backend.xp, self.shown[self.now(state)]
        if self.full:
            pictures = [self._picture(state, xp.full_like(now, number)) for number in range(self.pictures)]
            return xp.concat([*pictures, self._probe(state, xp.zeros_like(now))], axis=3)
        question = self.backend.clip(now - self.first_question, 0, None)
        canvas = self._probe(state, question)
        walking, noise = now < self.pictures, (now >= self.pictures) & (now < self.first_question)
        if not self.backend.on_host or bool(xp.any(walking)):
            seen = self._picture(state, self.backend.clip(now, 0, self.pictures - 1))
            canvas = xp.where(walking[:, None, None, None], seen, canvas)
        if self.first_question > self.pictures:
            canvas = xp.where(noise[:, None, None, None], self._noise(state, canvas), canvas)
        return canvas

    def _picture(self, state: State, number: Array) -> Array:
        """The canvases of these pictures (N,) of the walk."""
        index = state["index"][self.backend.rows(number.shape[0]), number]
        return self.scenes.compose(state["seed"], self.numbered(state["episode"]) * STRIDE + number, index).canvas

    def _probe(self, state: State, question: Array) -> Array:
        """What these questions (N,) show: an image, or nothing."""
        each = self.backend.rows(question.shape[0])
        seen = self.scenes.alone(state["index"][each, self.pictures + question])
        probed = state["probed"][each, question]
        return self.backend.xp.where(probed[:, None, None, None], seen, self.backend.xp.zeros_like(seen))

    def _noise(self, state: State, like: Array) -> Array:
        """Canvases of random cells, other ones at each step."""
        xp, (n, channels, height, width) = self.backend.xp, like.shape
        numbers = self.numbered(state["episode"]) * self.horizon + state["time"]
        words = draw_words(state["seed"], numbers, channels * NOISE_CELLS**2, NOISE_STREAM)
        cells = xp.astype(xp.reshape(words >> 24, (n, channels, NOISE_CELLS, NOISE_CELLS)), xp.uint8)
        y, x = (self.backend.rows(side) * NOISE_CELLS // side for side in (height, width))
        return cells[:, :, y[:, None], x]

    def parts(self, state: State) -> dict[str, Array]:
        """The question, where there is one, and the number of the picture."""
        xp, now = self.backend.xp, self.now(state)
        tokens = state["tokens"][self.backend.rows(now.shape[0]), self.asked[now]]
        if not self.full:
            tokens = xp.where((self.shown[now] >= self.first_question)[:, None], tokens, xp.zeros_like(tokens))
        shown = self.backend.clip(self.shown[now], 0, self.pictures - 1)
        name = state["names"][self.backend.rows(now.shape[0]), shown]
        number = xp.where((self.shown[now] < self.pictures) & (not self.full), name, MOST)
        return {"tokens": tokens, "picture": self.one_of[number]}

    def told(self, state: State) -> dict[str, Array]:
        """The kind of the question."""
        now = self.now(state)
        return {"question": state["kind"][self.backend.rows(now.shape[0]), self.asked[now]]}

    def groups(self, seeds: Array, episodes: Array) -> Array:
        """The kind of each episode's first question, (N,) int64."""
        return self.compose(seeds, episodes)["kind"][:, 0]

    def supports(self, seeds: Array, episodes: Array) -> Array:  # noqa: D102
        support = self.compose(seeds, episodes)["support"]
        if self.full:
            return self.backend.xp.any(support, axis=2, keepdims=True)
        rest = (*support.shape[:2], int(self.schedule.shown[-1]) + 1 - support.shape[2])
        none = self.backend.xp.zeros(rest, dtype=self.backend.xp.bool, device=self.backend.device)
        return self.backend.xp.concat([support, none], axis=2)

    def boxes(self, seeds: Array, episodes: Array) -> Array:
        """(N, K, 4) int64 left, top, right, bottom in pixels of the image in each picture of the walk."""
        index = self.compose(seeds, episodes)["index"]
        boxes = [
            self.scenes.target_boxes(seeds, self.numbered(episodes) * STRIDE + number, index[:, number])
            for number in range(self.pictures)
        ]
        return self.backend.xp.stack(boxes, axis=1)

    def scripted(self, name: str, seeds: Array, episodes: Array) -> Array:
        """The "oracle": the middle of the image of each picture, at every glimpse."""
        if self.full:
            return super().scripted(name, seeds, episodes)
        xp = self.backend.xp
        boxes = self.boxes(seeds, episodes)
        middle = self.middles(boxes)
        shown = self.shown[1 : self.horizon]
        path = middle[:, self.backend.clip(shown, 0, self.pictures - 1)]
        path = xp.where((shown >= self.pictures)[None, :, None], 0.0, self.backend.clip(path, -1.0, 1.0))
        return self.staying(path, self.backend.rows(self.horizon)[None, 1:])

    def canvas(self, seed: int, episode: int) -> np.ndarray:
        """The first picture of the walk, (H, W, C) uint8; of the twin, all of it."""
        state = self.begin(*(self.backend.asarray([number], "int64") for number in (seed, episode)))
        return self.backend.to_numpy(self.present(state)[0]).transpose(1, 2, 0)

    def path_metrics(self, path: np.ndarray, seeds: np.ndarray, episodes: np.ndarray) -> dict[str, float]:
        """Of the glimpses of pictures: saccades and entropy, coverage, fixations off them, and hits on their images."""
        if self.full:
            return super().path_metrics(path, seeds, episodes)
        path = path[:, : self.pictures * self.glimpses].reshape(-1, self.glimpses, 2)
        boxes = self.backend.to_numpy(self.boxes(*(self.backend.asarray(array) for array in (seeds, episodes))))
        metrics = super().path_metrics(path, seeds, episodes)
        metrics["attention/target_hit_rate"] = hit_rate(path, boxes.reshape(-1, 4), self.canvas_size)
        return metrics
