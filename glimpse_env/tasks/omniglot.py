"""Say which of several characters, each seen once, was drawn again by another person."""

from __future__ import annotations

from typing import Literal

import numpy as np
from gymnasium import spaces

from glimpse_env.affine import MOVES, moves, padded
from glimpse_env.backend import Backend
from glimpse_env.digest import digest_of
from glimpse_env.fitting import resampled
from glimpse_env.images import SPLITS, Split
from glimpse_env.notices import say_once
from glimpse_env.omniglot import Background, load_omniglot
from glimpse_env.rng import Array, arrangement, draw_words, integers, uniform
from glimpse_env.tasks.arguments import check_choices, check_count, check_counts
from glimpse_env.tasks.base import box
from glimpse_env.tasks.records import Schedule, State
from glimpse_env.tasks.walk import Walk

VARIETY_STREAM = 1
"""The random stream of turns and jitter; stream 0 chooses the pictures."""

SAME_STREAM = 2
"""The random stream of which questions show what was learned."""

ROW = 10
"""Learned pictures in a row of a frame."""

SHADE = 3
"""By how much a learned picture that has not been shown yet is darkened in a frame."""


class Omniglot(Walk):
    """Say which of several characters, each seen once, was drawn again by another person.

    ## Description
    One-shot classification within an alphabet, as in Lake, Salakhutdinov & Tenenbaum 2015, "Human-level concept
    learning through probabilistic program induction". First the agent learns: `ways` characters of one alphabet, all
    drawn by one person, are shown one after the other, each with a label of its own. Then it is asked: a character drawn
    by another person is shown without a label, and the agent has to answer which of those it is. It never observes a
    whole picture. It observes glimpses, as in `Classify`: `support_glimpses` of each learned picture and
    `query_glimpses` of each that is asked, the first of a picture at its centre. The order of the characters is drawn
    anew for each episode, so that a label means nothing beyond it.

    ## Action Space
    `Dict` of
    | key | space | meaning |
    |---|---|---|
    | `location` | `Box(-1, 1, (2,), float32)` | the next fixation, x right, y down; (0, 0) is the centre, (-1, -1) the top left corner. With `saccades="relative"`, a step from the present fixation. Without effect where another picture follows: its first fixation is the centre. |
    | `answer` | `Discrete(ways)` | the label of the picture that is asked; only those of its last glimpse count |

    ## Observation Space
    `Dict` of
    | key | space | meaning |
    |---|---|---|
    | `glimpse` | `Box(0, 1, (scales, 1, height, width), float32)` | the retina's patches, finest first; strokes are bright, zero outside the picture |
    | `location` | `Box(-1, 1, (2,), float32)` | the present fixation |
    | `label` | `Box(0, 1, (ways,), float32)` | 1 at the label of the present picture; all zero while it is asked |
    | `time` | `Box(0, 1, (1,), float32)` | steps taken, as a share of the episode |

    ## Rewards
    Each picture that is asked earns 1 / queries if the answer after its last glimpse is right. `info` has at every step
    `target` (the label that is asked, or will be asked next), `alphabet` (its number), `scored` (whether the answer of
    this step counts), `correct` (whether it counts and is right; at the last step, whether all of the episode were), and
    at the end `is_success`.

    ## Starting State
    A pure function of (seed, episode number). The picture that is asked first is uniform over those of the split, the
    other characters, the order, and the person who drew what is learned are uniform too.

    ## Episode End
    `terminated` after ways * support_glimpses + queries * query_glimpses steps. Never truncated.

    ## Arguments
    | name | default | meaning |
    |---|---|---|
    | `ways` | 20 | characters that are learned: from 2 to 20. A smaller alphabet is left out |
    | `support_glimpses`, `query_glimpses` | 1, 3 | glimpses of each picture that is learned, and asked |
    | `queries` | 1 | pictures asked in an episode, any character as likely as another: in training the same learned pictures serve several |
    | `patch`, `scales` | 28, 3 | of the retina, as of `Classify`: a picture has 105×105 pixels, and the third patch sees all of it |
    | `saccades` | `"absolute"` | or `"relative"` |
    | `split` | `"train"` | or `"validation"` (the alphabets Early Aramaic and Greek), both of the background set; or `"test"`: the 20 published runs of 20 pictures |
    | `background` | `"small"` | the set to train on: `"small1"`, `"small2"` (the published "minimal" ones, five alphabets each), both, or `"full"` |
    | `order` | `"random"` | or `"sequential"`: episode k asks for picture k of the split, so that an evaluation asks for each once: the test has 400 |
    | `rotate` | `False` | variety for training: an alphabet turned by 90, 180 or 270 degrees is another one; one that is smaller than `ways` is filled up with characters of its own, turned further |
    | `affine` | 0 | variety for training: each picture is turned by up to 10 degrees, scaled and sheared by up to a fifth, and shifted by up to a twentieth of its width, at 1; by twice as much at 2 |
    | `same` | 0.0 | for training: share of the questions that show the drawing that was learned, moved anew by `affine`. From them an agent learns that it is asked for the label of what is alike, before it knows what makes two drawings alike |
    | `data` | `None` | a folder with the archives as released, of `brendenlake/omniglot` on GitHub; `None` is `omniglot/` in `GLIMPSE_DATA`, or the cache |
    | `render_mode` | `None` | or `"rgb_array"`: `render()` draws the present picture, the gaze upon it, and what is learned |
    | `backend`, `device` | `"numpy"`, `None` | vector only: or `"torch"`, on the CPU or the device named, such as `"cuda"` |
    | `autoreset_mode` | `"NextStep"` | vector only: or `"SameStep"`, `"Disabled"` |

    ## Vectorized environment
    `gym.make_vec(id, num_envs=4096)`; with `backend="torch", device="cuda"` tensors in, tensors out.

    ## Version History
    * v0: the first.
    """

    paths = ("data",)
    splits = SPLITS
    variety = ("rotate", "affine", "queries", "same")
    group_key = "alphabet"

    def __init__(
        self,
        backend: Backend,
        *,
        ways: int = 20,
        support_glimpses: int = 1,
        query_glimpses: int = 3,
        queries: int = 1,
        patch: int | tuple[int, int] = 28,
        scales: int = 3,
        saccades: Literal["absolute", "relative"] = "absolute",
        split: Split = "train",
        background: Background = "small",
        order: Literal["random", "sequential"] = "random",
        rotate: bool = False,
        affine: float = 0.0,
        same: float = 0.0,
        data: str | None = None,
    ) -> None:
        super().__init__(backend, patch=patch, scales=scales, saccades=saccades)
        check_counts(support_glimpses=support_glimpses, query_glimpses=query_glimpses, queries=queries)
        check_count("ways", ways, 2)
        check_choices(order=order)
        if not 0 <= affine <= 2:
            raise ValueError(f"affine must be from 0 (none) to 2, got {affine!r}")
        if not 0 <= same <= 1:
            raise ValueError(f"same is a share in [0, 1], got {same!r}")
        self.ways, self.queries, self.order, self.rotate = int(ways), int(queries), order, bool(rotate)
        self.affine, self.same = float(affine), float(same)
        size = self._take(split, background, data)
        shown = np.repeat(np.arange(ways + queries), [support_glimpses] * ways + [query_glimpses] * queries)
        last = np.append(np.diff(shown) > 0, True)  # glimpse of a picture
        self.learning, self.per_query = support_glimpses * self.ways, query_glimpses
        self.answer_names = tuple(str(number) for number in range(1, self.ways + 1))
        self.walk(
            1,
            size,
            Schedule(shown, np.maximum(shown - ways, 0), last & (shown >= ways)),
            {"label": ("bits", box(0, 1, (self.ways,)))},
            spaces.Discrete(self.ways),
        )
        self.labels = backend.asarray(np.eye(ways + queries, self.ways), "float32")

    def _take(self, split: Split, background: Background, data: str | None) -> tuple[int, int]:
        """The characters of the split whose alphabets are large enough; (height, width) of their pictures."""
        found, backend = load_omniglot(split, background, data), self.backend
        count = np.bincount(found.alphabet, minlength=len(found.names))
        large = count * (4 if self.rotate else 1) >= self.ways
        if not large.any():
            raise ValueError(f"ways={self.ways}: no alphabet of {found.source} has so many characters, choose fewer")
        if not large.all():
            small = ", ".join(name for name, enough in zip(found.names, large, strict=True) if not enough)
            say_once(f"Omniglot: left out, with fewer than {self.ways} characters: {small}")
        kept = large[found.alphabet]
        images, alphabet = found.images[kept], found.alphabet[kept]
        self.source, self.group_names, self.drawers = found.source, found.names, images.shape[1]
        self.askers = 1 if split == "test" else self.drawers  # the last drawings of each character, by as many people
        self.num_episodes = len(images) * self.askers
        height, width = images.shape[2:]
        self.image_size = (height, width)
        self.pictures = backend.asarray(padded(images.reshape(-1, height, width)))
        self.moves = backend.asarray(moves(height, self.affine))
        self.alphabet, size = backend.asarray(alphabet), count[alphabet]
        self.first = backend.asarray(np.searchsorted(alphabet, alphabet))
        self.size = backend.asarray(size)
        self.pool = backend.asarray(size * -(-self.ways // size) if self.rotate else size)
        return self.image_size

    def digest(self) -> str:  # noqa: D102
        return digest_of(*(self.backend.to_numpy(part) for part in (self.pictures, self.alphabet)), self.group_names)

    def index(self, seeds: Array, episodes: Array) -> tuple[Array, Array]:
        """The picture of the split that is asked first, (N,) int64, and the episode's random words (N, …)."""
        numbers = episodes % self.num_episodes if self.order == "sequential" else episodes
        words = draw_words(seeds, numbers, 2 + self.ways + self.queries)
        return (numbers if self.order == "sequential" else integers(words[:, 0], self.num_episodes)), words[:, 1:]

    def groups(self, seeds: Array, episodes: Array) -> Array:
        """The number of each episode's alphabet, (N,) int64; in the test, of its run."""
        return self.alphabet[self.index(seeds, episodes)[0] // self.askers]

    def compose(self, seeds: Array, episodes: Array) -> State:  # noqa: D102
        xp = self.backend.xp
        index, words = self.index(seeds, episodes)
        character, drawer = index // self.askers, self.drawers - self.askers + index % self.askers
        teacher = integers(words[:, 0], self.drawers - 1)
        teacher = teacher + xp.astype(teacher >= drawer, xp.int64)  # anybody else
        target = integers(words[:, 1 : 1 + self.queries], self.ways)
        own = (character - self.first[character])[:, None]
        others = arrangement(words[:, 1 + self.queries :], self.pool[character][:, None] - 1)
        others = others + xp.astype(others >= own, xp.int64)
        label = self.backend.rows(self.ways)[None]
        place = self.backend.clip(label - xp.astype(label > target[:, :1], xp.int64), 0, self.ways - 2)
        learned = xp.where(label == target[:, :1], own, xp.take_along_axis(others, place, axis=1))
        member = xp.concat([learned, xp.take_along_axis(learned, target, axis=1)], axis=1)
        who = xp.concat(
            [xp.tile(teacher[:, None], (1, self.ways)), xp.tile(drawer[:, None], (1, self.queries))], axis=1
        )
        if self.same:
            again = uniform(draw_words(seeds, episodes, self.queries, SAME_STREAM)) < self.same
            who[:, self.ways :] = xp.where(again, teacher[:, None], who[:, self.ways :])
        size = self.size[character][:, None]
        drawn = draw_words(seeds, episodes, 1 + member.shape[1], VARIETY_STREAM)
        turn = member // size + (integers(drawn[:, :1], 4) if self.rotate else 0)
        return {
            "alphabet": self.alphabet[character],
            "picture": (self.first[character][:, None] + member % size) * self.drawers + who,
            "move": turn % 4 * MOVES + integers(drawn[:, 1:], MOVES),
            "target": target,
        }

    def present(self, state: State) -> Array:  # noqa: D102
        now = self.backend.rows(state["time"].shape[0]), self.shown[state["time"]]
        return self.drawn(state["picture"][now], state["move"][now])[:, None]

    def drawn(self, picture: Array, move: Array) -> Array:
        """These pictures (N,), (N, H, W) uint8, moved by these (N,)."""
        if not (self.rotate or self.affine):
            return self.pictures[picture, 1:-1, 1:-1]
        return self.ops.moved(self.pictures, picture, self.moves[move])

    def parts(self, state: State) -> dict[str, Array]:
        """The label of what is learned."""
        return {"label": self.labels[self.shown[state["time"]]]}

    def told(self, state: State) -> dict[str, Array]:
        """The number of the alphabet."""
        return {"alphabet": self.backend.copy(state["alphabet"])}

    def supports(self, seeds: Array, episodes: Array) -> Array:  # noqa: D102
        target = self.compose(seeds, episodes)["target"]
        return target[..., None] == self.backend.rows(self.ways + self.queries)

    def path_metrics(self, path: np.ndarray, seeds: np.ndarray, episodes: np.ndarray) -> dict[str, float]:
        """Of the glimpses of the first picture that is asked: saccades and entropy, coverage, fixations off it."""
        return super().path_metrics(path[:, self.learning : self.learning + self.per_query], seeds, episodes)

    def canvas(self, seed: int, episode: int) -> np.ndarray:
        """The picture that is asked first, (H, W, 1) uint8."""
        state = self.begin(*(self.backend.asarray([number], "int64") for number in (seed, episode)))
        return self.backend.to_numpy(self.drawn(state["picture"][:, self.ways], state["move"][:, self.ways])[0])[
            ..., None
        ]

    def target_boxes(self, seeds: Array, episodes: Array) -> Array:
        """(N, 4) int64: the whole picture."""
        height, width = self.canvas_size
        return self.backend.xp.tile(self.backend.asarray([[0, 0, width, height]], "int64"), (seeds.shape[0], 1))

    def render(self, state: State, row: int, mode: str) -> np.ndarray:
        """The present picture with the gaze upon it, above those that are learned, of which the seen ones are bright."""
        frame = super().render(state, row, mode)
        picture, move = (state[name][row, : self.ways] for name in ("picture", "move"))
        present = int(self.schedule.shown[min(int(state["time"][row]), self.horizon - 1)])
        return np.concatenate([frame, strip(self.backend.to_numpy(self.drawn(picture, move)), present, frame.shape[1])])


def strip(pictures: np.ndarray, present: int, width: int) -> np.ndarray:
    """Pictures (P, H, W) uint8 in rows of ten as one of this width, (height, width, 3); those after `present` are dark."""
    side = width // ROW
    cells = np.zeros((-(-len(pictures) // ROW) * ROW, side, side), np.uint8)
    for number, picture in enumerate(pictures):
        small = resampled(picture[..., None], (side, side))[..., 0]
        cells[number] = small if number <= present else small // SHADE
    rows = cells.reshape(-1, ROW, side, side).transpose(0, 2, 1, 3).reshape(-1, ROW * side)
    sheet = np.pad(rows, ((0, 0), (0, width - ROW * side)))
    return np.repeat(sheet[..., None], 3, axis=2)
