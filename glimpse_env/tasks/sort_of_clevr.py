"""Answer questions about coloured shapes that are seen through a few glimpses."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from gymnasium import spaces

from glimpse_env.backend import Backend
from glimpse_env.path_metrics import hit_rate
from glimpse_env.rng import Array
from glimpse_env.shape_scenes import (
    ANSWERS,
    COLOURS,
    QUESTIONS,
    RELATIONAL,
    Objects,
    answers,
    draw_questions,
    paint_objects,
    place_objects,
)
from glimpse_env.tasks.arguments import check_choice, check_count, check_counts
from glimpse_env.tasks.records import Schedule, State
from glimpse_env.tasks.walk import Walk
from glimpse_env.text import Vocabulary

SENTENCES = tuple(kind.format(colour) for kind in QUESTIONS for colour in COLOURS)
"""Every question, kind by kind."""

VOCABULARY = Vocabulary(sorted({word for sentence in SENTENCES for word in sentence.split()}))


class SortOfCLEVR(Walk):
    """Answer questions about coloured shapes that are seen through a few glimpses.

    ## Description
    Sort-of-CLEVR (Santoro et al. 2017, section 4.3): six objects on white, each of a colour of its own, square or circle.
    Half of the questions are about one object: what shape it has, whether it is on the left, at the top. Half are
    relational: what shape is nearest to it, farthest from it, how many have its shape. The agent never observes the
    scene. It observes glimpses of it, and is asked before it looks, or only after its last glimpse.

    ## Action Space
    `Dict` of
    | key | space | meaning |
    |---|---|---|
    | `location` | `Box(-1, 1, (2,), float32)` | the next fixation, x right, y down; clipped to the scene. With `saccades="relative"`, a step from the present fixation. Without effect where a question follows |
    | `answer` | `Discrete(10)` | yes, no, square, circle, or one to six; counts where it is scored |

    ## Observation Space
    `Dict` of
    | key | space | meaning |
    |---|---|---|
    | `glimpse` | `Box(0, 1, (scales, 3, height, width), float32)` | the retina's patches, finest first; zero outside the scene, and with a question that is asked after |
    | `location` | `Box(-1, 1, (2,), float32)` | the present fixation |
    | `tokens` | `MultiDiscrete` of 10 words | the question; zeros while there is none |
    | `time` | `Box(0, 1, (1,), float32)` | steps taken, as a share of the episode |
    | `overview` | `Box(0, 1, (3, rows, columns), float32)` | with `overview=`: means over the cells of a grid that covers the scene; the same at every glimpse |

    ## Rewards
    1 / queries for each right answer. With `ask="before"` the answer at the last glimpse counts, with `"after"` that at
    the step of each question. `info` has at every step `target` (of the question that is due, or will be next),
    `question` (its kind, 0 to 5), `scored`, `correct`, and at the end `is_success`.

    ## Starting State
    A pure function of (seed, episode number). The first fixation is the centre. Every kind of question is as likely, and
    every colour.

    ## Episode End
    `terminated` after `num_glimpses` steps, and one more for each question that is asked after. Never truncated.

    ## Arguments
    | name | default | meaning |
    |---|---|---|
    | `ask` | `"before"` | the question is shown at every glimpse; or `"after"`: each at a step of its own after the last glimpse |
    | `queries` | 1 | questions of an episode; more than one with `ask="after"` alone: in training the same scene serves several |
    | `num_glimpses` | 8 | glimpses of a scene |
    | `whole` | `False` | the twin that sees the whole scene in one glimpse, pixel by pixel: `num_glimpses`, `patch` and `scales` are then 1, `size` and 1 |
    | `size` | 75 | side of the scene in pixels |
    | `objects` | 6 | from 2 to 6, of the first colours |
    | `radius` | 5 | of an object, in pixels |
    | `overview` | `None` | or cells of an overview along a side, or (rows, columns) |
    | `patch` | 12 | size of a patch in cells, one number or (height, width) |
    | `scales` | 3 | patches of a glimpse |
    | `saccades` | `"absolute"` | or `"relative"` |
    | `render_mode` | `None` | or `"rgb_array"`: `render()` draws the scene and the gaze upon it |
    | `backend`, `device` | `"numpy"`, `None` | vector only: or `"torch"`, on the CPU or the device named |
    | `autoreset_mode` | `"NextStep"` | vector only: or `"SameStep"`, `"Disabled"` |

    ## Vectorized environment
    `gym.make_vec(id, num_envs=1024)`; with `backend="torch", device="cuda"` tensors in, tensors out.

    ## Version History
    * v0: the first.
    """

    variety = ("queries",)
    group_key = "question"
    group_names = tuple(kind.format("…") for kind in QUESTIONS)
    group_families: ClassVar = {"relational": RELATIONAL, "nonrelational": (0, 1, 2)}

    def __init__(
        self,
        backend: Backend,
        *,
        ask: Literal["before", "after"] = "before",
        queries: int = 1,
        num_glimpses: int = 8,
        whole: bool = False,
        size: int = 75,
        objects: int = 6,
        radius: int = 5,
        overview: int | tuple[int, int] | None = None,
        patch: int | tuple[int, int] = 12,
        scales: int = 3,
        saccades: Literal["absolute", "relative"] = "absolute",
    ) -> None:
        check_counts(queries=queries, num_glimpses=num_glimpses, radius=radius, size=size)
        check_count("objects", objects, 2)
        check_choice("ask", ask, ("before", "after"))
        if whole:
            num_glimpses, patch, scales = 1, size, 1
        super().__init__(backend, patch=patch, scales=scales, saccades=saccades)
        if ask == "before" and queries != 1:
            raise ValueError(f'queries={queries}: several questions are asked after: set ask="after"')
        if objects > len(COLOURS):
            raise ValueError(f"objects must be at most {len(COLOURS)}, one of each colour, got {objects}")
        if size < 6 * radius:
            raise ValueError(
                f"a scene of size {size} is too small for objects of radius {radius}: at least {6 * radius}"
            )
        self.ask, self.queries, self.count = ask, int(queries), int(objects)
        self.size, self.radius, self.glimpses = int(size), int(radius), int(num_glimpses)
        self.words, self.answer_names = VOCABULARY.words, ANSWERS
        longest = max(len(sentence.split()) for sentence in SENTENCES)
        sentences = np.stack([VOCABULARY.encode(sentence, longest) for sentence in SENTENCES])
        self.sentences = backend.asarray(sentences.reshape(len(QUESTIONS), len(COLOURS), longest))
        self.gazes = (*self.gazes, "oracle") if self.gazes else ()
        self.walk(
            3,
            (self.size, self.size),
            self._schedule(),
            {"tokens": ("tokens", spaces.MultiDiscrete(np.full(longest, len(VOCABULARY))))},
            spaces.Discrete(len(ANSWERS)),
            cells=overview,
        )

    def _schedule(self) -> Schedule:
        """The scene is canvas 0; the steps of questions that are asked after are canvas 1."""
        later = self.queries if self.ask == "after" else 0
        shown = np.repeat([0, 1], [self.glimpses, later])
        asked = np.maximum(np.arange(len(shown)) - self.glimpses, 0)
        scored = np.arange(len(shown)) >= (self.glimpses if later else self.glimpses - 1)
        return Schedule(shown, asked, scored)

    def objects(self, seeds: Array, episodes: Array) -> Objects:
        """The objects of these episodes (N,)."""
        return place_objects(seeds, episodes, self.count, self.size, self.radius)

    def compose(self, seeds: Array, episodes: Array) -> State:  # noqa: D102
        found = self.objects(seeds, episodes)
        kind, colour = draw_questions(seeds, episodes, self.queries, self.count)
        target = answers(found, kind, colour, self.size)
        return {"middle": found.middle, "shape": found.shape, "kind": kind, "colour": colour, "target": target}

    def present(self, state: State) -> Array:  # noqa: D102
        canvas = paint_objects(Objects(state["middle"], state["shape"]), self.size, self.radius)
        blank = self.shown[state["time"]] > 0
        return self.backend.xp.where(blank[:, None, None, None], self.backend.xp.zeros_like(canvas), canvas)

    def parts(self, state: State) -> dict[str, Array]:
        """The question, where there is one."""
        xp, now = self.backend.xp, state["time"]
        this = self.backend.rows(now.shape[0]), self.asked[now]
        tokens = self.sentences[state["kind"][this], state["colour"][this]]
        if self.ask == "after":
            tokens = xp.where((self.shown[now] > 0)[:, None], tokens, xp.zeros_like(tokens))
        return {"tokens": tokens}

    def told(self, state: State) -> dict[str, Array]:
        """The kind of the question."""
        return {"question": state["kind"][self.backend.rows(state["time"].shape[0]), self.asked[state["time"]]]}

    def groups(self, seeds: Array, episodes: Array) -> Array:
        """The kind of each episode's first question, (N,) int64."""
        return draw_questions(seeds, episodes, self.queries, self.count)[0][:, 0]

    def target_boxes(self, seeds: Array, episodes: Array) -> Array:
        """(N, 4) int64 left, top, right, bottom in pixels of the object of the first question."""
        xp, colour = self.backend.xp, draw_questions(seeds, episodes, self.queries, self.count)[1][:, 0]
        middle = self.objects(seeds, episodes).middle[self.backend.rows(colour.shape[0]), colour]
        return xp.concat([middle - self.radius, middle + self.radius + 1], axis=1)

    def scripted(self, name: str, seeds: Array, episodes: Array) -> Array:
        """The "oracle": all objects in turn, that of a question which is asked before first."""
        xp, middle = self.backend.xp, self.objects(seeds, episodes).middle
        colour = draw_questions(seeds, episodes, self.queries, self.count)[1][:, :1]
        turn = self.backend.rows(self.horizon - 1)[None]
        number = (turn + (colour if self.ask == "before" else 0)) % self.count
        number = number + xp.zeros_like(colour)
        places = xp.take_along_axis(middle, xp.tile(number[..., None], (1, 1, 2)), axis=1)
        path = (2 * xp.astype(places, xp.float32) + 1) / self.size - 1
        return self.staying(path, self.backend.rows(self.horizon)[None, 1:])

    def canvas(self, seed: int, episode: int) -> np.ndarray:
        """The scene, (size, size, 3) uint8."""
        found = self.objects(*(self.backend.asarray([number], "int64") for number in (seed, episode)))
        return self.backend.to_numpy(paint_objects(found, self.size, self.radius)[0]).transpose(1, 2, 0)

    def path_metrics(self, path: np.ndarray, seeds: np.ndarray, episodes: np.ndarray) -> dict[str, float]:
        """Of the glimpses of the scene: saccades and entropy, coverage, fixations off it, hits on what was asked for."""
        path = path[:, : self.glimpses]
        numbers = (self.backend.asarray(array) for array in (seeds, episodes))
        boxes = self.backend.to_numpy(self.target_boxes(*numbers))
        metrics = super().path_metrics(path, seeds, episodes)
        metrics["attention/target_hit_rate"] = hit_rate(path, boxes, self.canvas_size)
        return metrics
