"""Catch a falling ball, seen through glimpses: control, learned from reward alone."""

from __future__ import annotations

from typing import Literal

import numpy as np
from gymnasium import spaces

from glimpse_env.backend import Backend
from glimpse_env.path_metrics import coverage, off_image
from glimpse_env.render import draw_gaze
from glimpse_env.rng import Array, draw_words, integers
from glimpse_env.tasks.arguments import check_count
from glimpse_env.tasks.glimpsing import GlimpseTask
from glimpse_env.tasks.records import Outcome, State

UNIT = 256
"""Parts of a pixel in which places and speeds are counted, so that they are exact."""

PADDLE = 2
"""Pixels of the paddle."""

MOVES = ("left", "stay", "right")


class Catch(GlimpseTask):
    """Catch a falling ball with a paddle, seeing the screen only through glimpses.

    ## Description
    The game of Mnih et al. 2014, "Recurrent Models of Visual Attention", section 4.2: a screen of 24×24 black pixels, a
    ball of one pixel that falls by a row a step and bounces off the walls, a paddle of two pixels in the lowest row. The
    agent moves its paddle and its gaze at every step, and earns 1 where it catches the ball. What the paper leaves open:
    here the ball begins anywhere in the highest row, with a speed to either side of at most `speed` columns a step, all
    as likely, and the paddle begins in the middle and moves by one column.

    With `distractors`, other balls go to and fro, each in a row above the paddle's, and never fall.

    ## Action Space
    `Dict` of
    | key | space | meaning |
    |---|---|---|
    | `location` | `Box(-1, 1, (2,), float32)` | the next fixation, x right, y down; clipped to the screen. With `saccades="relative"`, a step from the present fixation |
    | `answer` | `Discrete(3)` | the paddle goes left, stays, or goes right |

    ## Observation Space
    `Dict` of
    | key | space | meaning |
    |---|---|---|
    | `glimpse` | `Box(0, 1, (scales, 1, height, width), float32)` | the retina's patches, finest first; zero outside the screen |
    | `location` | `Box(-1, 1, (2,), float32)` | the present fixation |
    | `time` | `Box(0, 1, (1,), float32)` | steps taken, as a share of the episode |
    | `overview` | `Box(0, 1, (1, rows, columns), float32)` | with the argument `overview` alone: the present screen in coarse cells |

    ## Rewards
    1 at the end where the ball falls onto the paddle, else 0. `info` has at every step `target` (the move that leads
    towards the place where the ball will fall), `correct` (whether the ball can still be caught; at the end, whether it
    is), `scored` (in the last step), and at the end `is_success`.

    ## Starting State
    A pure function of (seed, episode number). The first fixation is the centre.

    ## Episode End
    `terminated` after `field` - 1 steps, when the ball is in the lowest row. Never truncated.

    ## Arguments
    | name | default | meaning |
    |---|---|---|
    | `field` | 24 | width and height of the screen, from 8 on |
    | `distractors` | 0 | other balls |
    | `speed` | 1.0 | the largest speed of a ball to either side, in columns a step, at most `field` / 2 |
    | `patch`, `scales` | 6, 3 | of the retina |
    | `overview` | `None` | (rows, columns), or the number of cells along the screen's side |
    | `saccades` | `"absolute"` | or `"relative"` |
    | `render_mode` | `None` | or `"rgb_array"`: `render()` draws the present screen and the gaze upon it |
    | `backend`, `device` | `"numpy"`, `None` | vector only: or `"torch"`, on the CPU or the device named |
    | `autoreset_mode` | `"NextStep"` | vector only: or `"SameStep"`, `"Disabled"` |

    ## Vectorized environment
    `gym.make_vec(id, num_envs=256)`; with `backend="torch", device="cuda"` tensors in, tensors out.

    ## Version History
    * v0: the first.
    """

    judges = True
    answers_act = True
    answer_names = MOVES

    def __init__(
        self,
        backend: Backend,
        *,
        field: int = 24,
        distractors: int = 0,
        speed: float = 1.0,
        patch: int | tuple[int, int] = 6,
        scales: int = 3,
        overview: int | tuple[int, int] | None = None,
        saccades: Literal["absolute", "relative"] = "absolute",
    ) -> None:
        super().__init__(backend, patch=patch, scales=scales, saccades=saccades)
        check_count("field", field, 8)
        check_count("distractors", distractors, 0)
        if not (isinstance(speed, int | float | np.number) and 0 <= float(speed) <= field / 2):
            raise ValueError(f"speed must be from 0 to half of the field, {field / 2:g}, got {speed!r}")
        self.field, self.distractors, self.speed = int(field), int(distractors), round(float(speed) * UNIT)
        self.horizon = self.field - 1
        self.gazes = ("random", "centre", "grid", "oracle") if saccades == "absolute" else ()
        self.clock = backend.asarray(np.arange(self.horizon + 1)[:, None] / self.horizon, "float32")
        self.see(1, (self.field, self.field), {}, spaces.Discrete(len(MOVES)), "class", overview)

    def _balls(self, seeds: Array, episodes: Array) -> tuple[Array, Array, Array]:
        """Where the balls begin, how fast they go sideways, both in `UNIT`s of a pixel, and the rows of the distractors;
        the first ball is the one that falls. (N, B) int64 each."""
        count = self.distractors + 1
        words = draw_words(seeds, episodes, 3 * count)
        begin = integers(words[:, :count], self.field * UNIT)
        speed = integers(words[:, count : 2 * count], 2 * self.speed + 1) - self.speed
        return begin, speed, integers(words[:, 2 * count :], self.field - 1)

    def columns(self, begin: Array, speed: Array, time: Array) -> Array:
        """The columns of balls after so many steps, in pixels, int64; walls reflect them."""
        xp, width = self.backend.xp, self.field * UNIT
        unfolded = (begin + speed * time) % (2 * width)
        return xp.where(unfolded < width, unfolded, 2 * width - 1 - unfolded) // UNIT

    def begin(self, seeds: Array, episodes: Array) -> State:  # noqa: D102
        xp, n = self.backend.xp, seeds.shape[0]
        begin, speed, row = self._balls(seeds, episodes)
        state = {
            "seed": self.backend.copy(seeds),
            "episode": self.backend.copy(episodes),
            "begin": begin,
            "speed": speed,
            "row": row,
            "paddle": xp.full_like(episodes, (self.field - PADDLE) // 2),
            "time": xp.zeros_like(episodes),
            "location": xp.zeros((n, 2), dtype=xp.float32, device=self.backend.device),
            "path": xp.zeros((n, self.horizon + 1, 2), dtype=xp.float32, device=self.backend.device),
        }
        return {**state, **self.presented(self.screen(state))}

    def screen(self, state: State) -> Array:
        """The present screens, (N, 1, field, field) uint8."""
        xp, n = self.backend.xp, state["time"].shape[0]
        screen = xp.zeros((n, self.field, self.field), dtype=xp.uint8, device=self.backend.device)
        each, time = self.backend.rows(n), state["time"][:, None]
        rows = xp.concat([time, state["row"][:, 1:]], axis=1)
        screen[each[:, None], rows, self.columns(state["begin"], state["speed"], time)] = 255
        for part in range(PADDLE):
            screen[each, self.field - 1, state["paddle"] + part] = 255
        return screen[:, None]

    def observe(self, state: State) -> dict[str, Array]:  # noqa: D102
        return self.observation(state)

    def _landing(self, state: State) -> Array:
        """(N,) int64, the column in which the ball reaches the lowest row."""
        return self.columns(state["begin"][:, 0], state["speed"][:, 0], self.horizon)

    def _towards(self, state: State) -> Array:
        """(N,) int64, the move towards the place where the ball will fall; none where the paddle is there."""
        xp, off = self.backend.xp, self._landing(state) - state["paddle"]
        return xp.where(off < 0, 0, xp.where(off >= PADDLE, 2, xp.ones_like(off)))

    def act(self, state: State, action: dict[str, Array]) -> Outcome:  # noqa: D102
        xp = self.backend.xp
        target = self._towards(state)
        time = self.backend.clip(state["time"] + 1, 0, self.horizon)  # rows that are over wait for their reset
        terminated = time >= self.horizon
        paddle = self.backend.clip(state["paddle"] + action["answer"] - 1, 0, self.field - PADDLE)
        location = xp.where(terminated[:, None], state["location"], self.fixated(state, action))
        state["path"][self.backend.rows(time.shape[0]), time] = location
        state = {**state, "time": time, "paddle": paddle, "location": location}
        off = self._landing(state) - paddle
        missed_by = xp.where(off < 0, -off, self.backend.clip(off - (PADDLE - 1), 0, None))
        correct = missed_by <= self.horizon - time
        info = {"target": target, "scored": terminated, "correct": correct}
        reward = xp.astype(correct & terminated, xp.float32)
        return Outcome({**state, **self.presented(self.screen(state))}, reward, terminated, info)

    def info(self, state: State) -> dict[str, Array]:  # noqa: D102
        return {"target": self._towards(state)}

    def scripted(self, name: str, seeds: Array, episodes: Array) -> Array:
        """The "oracle": the ball, at every step."""
        xp, steps = self.backend.xp, self.backend.rows(self.horizon)[1:]
        begin, speed, _ = self._balls(seeds, episodes)
        x = self.columns(begin[:, :1], speed[:, :1], steps)
        path = xp.stack([x, steps[None] + xp.zeros_like(x)], axis=2)
        return xp.astype(2 * path + 1, xp.float32) / self.field - 1

    def canvas(self, seed: int, episode: int) -> np.ndarray:
        """The first screen and the way of the ball, the brighter the later, (field, field, 1) uint8."""
        state = self.begin(*(self.backend.asarray([number], "int64") for number in (seed, episode)))
        screen = self.backend.to_numpy(self.screen(state)[0]).transpose(1, 2, 0)
        time = self.backend.rows(self.field)
        way = self.backend.to_numpy(self.columns(state["begin"][:, 0], state["speed"][:, 0], time))
        screen[np.arange(self.field), way, 0] = np.linspace(60, 255, self.field).astype(np.uint8)
        return screen

    def render(self, state: State, row: int, mode: str) -> np.ndarray:
        """The present screen with the gaze upon it."""
        screen = self.backend.to_numpy(self.screen({key: value[row : row + 1] for key, value in state.items()})[0])
        seen = min(int(state["time"][row]), self.horizon - 1) + 1
        return draw_gaze(screen.transpose(1, 2, 0), self.backend.to_numpy(state["path"][row])[:seen], self.retina)

    def path_metrics(self, path: np.ndarray, seeds: np.ndarray, episodes: np.ndarray) -> dict[str, float]:
        """Saccades and entropy, coverage, fixations at the edge, and the mean distance of the fixation from the ball in
        pixels."""
        own = {
            "attention/coverage": coverage(path, self.canvas_size, self.retina),
            "attention/off_image": off_image(path),
        }
        ball = self.scripted("oracle", *(self.backend.asarray(array) for array in (seeds, episodes)))
        away = np.linalg.norm(path[:, 1:] - self.backend.to_numpy(ball)[:, : path.shape[1] - 1], axis=-1)
        own["attention/distance_to_ball"] = float(away.mean()) * self.field / 2
        return {**super().path_metrics(path, seeds, episodes), **own}
