"""Say which of several characters, each seen once, was drawn again by another person."""

from __future__ import annotations

from typing import Literal

import numpy as np
from gymnasium import spaces

from glimpse_env.affine import MOVES, moves, padded
from glimpse_env.backend import Backend
from glimpse_env.digest import digest_of
from glimpse_env.fitting import resampled
from glimpse_env.image_ops import image_ops
from glimpse_env.images import SPLITS, Split
from glimpse_env.notices import say_once
from glimpse_env.omniglot import Background, load_omniglot
from glimpse_env.path_metrics import coverage, off_image
from glimpse_env.render import draw_gaze
from glimpse_env.retina import Retina
from glimpse_env.rng import Array, arrangement, draw_words, integers, uniform
from glimpse_env.tasks.base import Task, box
from glimpse_env.tasks.image_task import pair
from glimpse_env.tasks.records import Outcome, State
from glimpse_env.tasks.sequence import check_count

VARIETY_STREAM = 1
"""The random stream of turns and jitter; stream 0 chooses the pictures."""

SAME_STREAM = 2
"""The random stream of which questions show what was learned."""

ROW = 10
"""Learned pictures in a row of a frame."""

SHADE = 3
"""By how much a learned picture that has not been shown yet is darkened in a frame."""


class Omniglot(Task):
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
    retina: Retina
    canvas_size: tuple[int, int]

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
        super().__init__(backend)
        for name, value in (("support_glimpses", support_glimpses), ("query_glimpses", query_glimpses)):
            check_count(name, value)
        check_count("ways", ways, 2)
        check_count("queries", queries)
        if saccades not in ("absolute", "relative"):
            raise ValueError(f'saccades must be "absolute" or "relative", got {saccades!r}')
        if order not in ("random", "sequential"):
            raise ValueError(f'order must be "random" or "sequential", got {order!r}')
        if not 0 <= affine <= 2:
            raise ValueError(f"affine must be from 0 (none) to 2, got {affine!r}")
        if not 0 <= same <= 1:
            raise ValueError(f"same is a share in [0, 1], got {same!r}")
        self.same = float(same)
        self.ways, self.queries, self.order, self.rotate = int(ways), int(queries), order, bool(rotate)
        self.saccades, self.affine = saccades, float(affine)
        self.ops, self.retina = image_ops(backend), Retina(pair(patch), scales).checked()
        self._take(split, background, data)
        self._schedule(support_glimpses, query_glimpses)
        self.max_answers = self.queries
        self.answer_names = tuple(str(number) for number in range(1, self.ways + 1))
        self.gazes = ("random", "centre") if saccades == "absolute" else ()
        self.roles = {"glimpse": "glimpse", "location": "place", "label": "bits", "time": "clock"}
        self.action_roles = {"location": "place" if saccades == "absolute" else "saccade", "answer": "class"}
        self.observation_space = spaces.Dict(
            {
                "glimpse": box(0, 1, (scales, 1, *self.retina.patch)),
                "location": box(-1, 1, (2,)),
                "label": box(0, 1, (self.ways,)),
                "time": box(0, 1, (1,)),
            }
        )
        self.action_space = spaces.Dict({"location": box(-1, 1, (2,)), "answer": spaces.Discrete(self.ways)})

    def _take(self, split: Split, background: Background, data: str | None) -> None:
        """The characters of the split whose alphabets are large enough."""
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
        self.asked = 1 if split == "test" else self.drawers  # the last drawings of each character, by as many people
        self.num_episodes = len(images) * self.asked
        self.canvas_size = self.image_size = (images.shape[2], images.shape[3])
        self.pictures = backend.asarray(padded(images.reshape(-1, *self.canvas_size)))
        self.moves = backend.asarray(moves(images.shape[2], self.affine))
        self.alphabet, size = backend.asarray(alphabet), count[alphabet]
        self.first = backend.asarray(np.searchsorted(alphabet, alphabet))
        self.size = backend.asarray(size)
        self.pool = backend.asarray(size * -(-self.ways // size) if self.rotate else size)
        self.row_bytes = self.canvas_size[0] * self.canvas_size[1] * 5

    def _schedule(self, support: int, query: int) -> None:
        """What is shown at each step, and once more after the last: the number of the picture, its label, the query."""
        shown = np.repeat(np.arange(self.ways + self.queries), [support] * self.ways + [query] * self.queries)
        self.horizon, self.learning, self.per_query = len(shown), support * self.ways, query
        shown = np.append(shown, shown[-1])
        asked, begins = np.maximum(shown - self.ways, 0), np.append(False, np.diff(shown) > 0)
        ends = np.append(begins[1:], False)
        ends[self.horizon - 1] = True
        labels = np.eye(self.ways + self.queries, self.ways)[shown]
        clock = np.arange(self.horizon + 1)[:, None] / self.horizon
        columns = (shown, asked, ends & (shown >= self.ways), begins)
        self.shown, self.question, self.counts, self.begins = map(self.backend.asarray, columns)
        self.labels, self.clock = (self.backend.asarray(column, "float32") for column in (labels, clock))

    def digest(self) -> str:  # noqa: D102
        return digest_of(*(self.backend.to_numpy(part) for part in (self.pictures, self.alphabet)), self.group_names)

    def index(self, seeds: Array, episodes: Array) -> tuple[Array, Array]:
        """The picture of the split that is asked first, (N,) int64, and the episode's random words (N, …)."""
        numbers = episodes % self.num_episodes if self.order == "sequential" else episodes
        words = draw_words(seeds, numbers, 2 + self.ways + self.queries)
        return (numbers if self.order == "sequential" else integers(words[:, 0], self.num_episodes)), words[:, 1:]

    def groups(self, seeds: Array, episodes: Array) -> Array:
        """The number of each episode's alphabet, (N,) int64; in the test, of its run."""
        return self.alphabet[self.index(seeds, episodes)[0] // self.asked]

    def begin(self, seeds: Array, episodes: Array) -> State:  # noqa: D102
        xp, n = self.backend.xp, seeds.shape[0]
        index, words = self.index(seeds, episodes)
        character, drawer = index // self.asked, self.drawers - self.asked + index % self.asked
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
        size = self.size[character][:, None]
        drawn = draw_words(seeds, episodes, 1 + member.shape[1], VARIETY_STREAM)
        turn = member // size + (integers(drawn[:, :1], 4) if self.rotate else 0)
        if self.same:
            again = uniform(draw_words(seeds, episodes, self.queries, SAME_STREAM)) < self.same
            who[:, self.ways :] = xp.where(again, teacher[:, None], who[:, self.ways :])
        state = {
            "seed": self.backend.copy(seeds),
            "episode": self.backend.copy(episodes),
            "alphabet": self.alphabet[character],
            "picture": (self.first[character][:, None] + member % size) * self.drawers + who,
            "move": turn % 4 * MOVES + integers(drawn[:, 1:], MOVES),
            "target": target,
            "time": xp.zeros_like(index),
            "perfect": xp.ones_like(index, dtype=xp.bool),
            "location": xp.zeros((n, 2), dtype=xp.float32, device=self.backend.device),
            "path": xp.zeros((n, self.horizon + 1, 2), dtype=xp.float32, device=self.backend.device),
        }
        return {**state, "table": self.ops.summed_area_table(self.present(state))}

    def present(self, state: State) -> Array:
        """The pictures that are shown now, (N, 1, H, W) uint8."""
        now = self.backend.rows(state["time"].shape[0]), self.shown[state["time"]]
        return self.drawn(state["picture"][now], state["move"][now])[:, None]

    def drawn(self, picture: Array, move: Array) -> Array:
        """These pictures (N,), (N, H, W) uint8, moved by these (N,)."""
        if not (self.rotate or self.affine):
            return self.pictures[picture, 1:-1, 1:-1]
        return self.ops.moved(self.pictures, picture, self.moves[move])

    def observe(self, state: State) -> dict[str, Array]:  # noqa: D102
        return {
            "glimpse": self.ops.glimpse(state["table"], state["location"], self.retina),
            "location": self.backend.copy(state["location"]),
            "label": self.labels[state["time"]],
            "time": self.clock[state["time"]],
        }

    def due(self, state: State) -> tuple[Array, Array]:
        """The label that is asked, (N,) int64, and whether the present answer counts, (N,) bool."""
        now = state["time"]
        return state["target"][self.backend.rows(now.shape[0]), self.question[now]], self.counts[now]

    def act(self, state: State, action: dict[str, Array]) -> Outcome:  # noqa: D102
        xp, (target, scored) = self.backend.xp, self.due(state)
        right = action["answer"] == target
        time = self.backend.clip(state["time"] + 1, 0, self.horizon)  # rows that are over wait for their reset
        terminated = time >= self.horizon
        perfect = state["perfect"] & (right | ~scored)
        location = action["location"] if self.saccades == "absolute" else state["location"] + action["location"]
        location = xp.where(self.begins[time][:, None], 0.0, self.backend.clip(location, -1.0, 1.0))
        location = xp.where(terminated[:, None], state["location"], location)
        state["path"][self.backend.rows(time.shape[0]), time] = location
        state = {**state, "time": time, "location": location, "perfect": perfect}
        if not self.backend.on_host or bool(xp.any(self.begins[time])):
            state["table"] = self.ops.summed_area_table(self.present(state))
        reward = xp.astype(right & scored, xp.float32) / xp.full_like(location[:, 0], self.queries)
        info = {"target": target, "alphabet": self.backend.copy(state["alphabet"]), "scored": scored}
        return Outcome(state, reward, terminated, {**info, "correct": xp.where(terminated, perfect, right & scored)})

    def info(self, state: State) -> dict[str, Array]:  # noqa: D102
        return {"target": self.due(state)[0], "alphabet": self.backend.copy(state["alphabet"])}

    def scripted(self, name: str, seeds: Array, episodes: Array) -> Array:
        """The "centre" of each picture, at every glimpse."""
        xp = self.backend.xp
        return xp.zeros((seeds.shape[0], self.horizon - 1, 2), dtype=xp.float32, device=self.backend.device)

    def path_metrics(self, path: np.ndarray, seeds: np.ndarray, episodes: np.ndarray) -> dict[str, float]:
        """Of the glimpses of the first picture that is asked: saccades and entropy, coverage, fixations off it."""
        path = path[:, self.learning : self.learning + self.per_query]
        covered = coverage(path, self.canvas_size, self.retina)
        own = {"attention/coverage": covered, "attention/off_image": off_image(path)}
        return {**super().path_metrics(path, seeds, episodes), **own}

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
        alone = {key: value[row : row + 1] for key, value in state.items()}
        time = min(int(alone["time"][0]), self.horizon - 1)
        shown = self.backend.to_numpy(self.shown)
        first = int(np.flatnonzero(shown == shown[time])[0])
        canvas = self.backend.to_numpy(self.present(alone)[0]).transpose(1, 2, 0)
        frame = draw_gaze(canvas, self.backend.to_numpy(alone["path"][0])[first : time + 1], self.retina)
        learned = self.backend.to_numpy(self.drawn(alone["picture"][0, : self.ways], alone["move"][0, : self.ways]))
        return np.concatenate([frame, strip(learned, int(shown[time]), frame.shape[1])])


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
