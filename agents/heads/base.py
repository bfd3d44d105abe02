"""What every head is: features in, the parameters of a distribution over one part of an action out."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor, nn

from agents.spec import PartSpec

if TYPE_CHECKING:
    from agents.config import AgentConfig


class Survey(NamedTuple):
    """What a head made of the overview, and what was looked at so far. B rows.

    Attributes:
        cells: (B, K, channels), a map of K cells, made once an episode.
        visited: (B, K) in [0, 1], how near the nearest look was.
    """

    cells: Tensor
    visited: Tensor


class View(NamedTuple):
    """What a head may use beside the features. B rows.

    Attributes:
        periphery: (B, P), what draws the gaze; None where nothing does.
        here: (B, D), the present place; None where the observation has no part of the action's name.
        unit: of places: 1, or (B, 1) the width of one of the cells that a place is among.
        prior: (B, D) a step, in this unit, that is added to the policy's own; None without one.
        survey: of the overview; None for heads that have none.
        glimpse: (B, scales, channels, height, width), the present one; None where there is none.
        where: (B, W), what a core has for the gaze alone, with gradient; None where it sees the features.
    """

    periphery: Tensor | None = None
    here: Tensor | None = None
    unit: Tensor | float = 1.0
    prior: Tensor | None = None
    survey: Survey | None = None
    glimpse: Tensor | None = None
    where: Tensor | None = None


class Head(nn.Module):
    """One part of an action.

    Args:
        part: of the action.
        features: width of the features.
        view: sizes of what it may use beside them.
        config: of the agent.

    Attributes:
        policy: whether REINFORCE alone trains it, and nothing flows back into the features (but into `View.where`,
            where a core has that). Of the others, the answer learns from its target where there is one; all else learns
            from reward, through the features.
        acts_on_next: whether an action matters only for what follows it, so that an episode's last one is left out of
            the policy gradient.
        uses_view: whether it uses more than the features.
        surveys: whether it makes a survey of the overview; then it has `survey` and `near`, as `CellHead` has.
        noise_size: uniform random numbers that a draw takes; 0 where nothing can be drawn.
    """

    policy = False
    uses_view = False
    surveys = False
    acts_on_next = False
    noise_size = 1

    def __init__(self, part: PartSpec, features: int, view: ViewSize, config: AgentConfig) -> None:
        super().__init__()
        self.part = part

    def forward(self, features: Tensor, view: View) -> Tensor:
        """(B, F) to the distribution's parameters, (B, …)."""
        raise NotImplementedError

    def mode(self, params: Tensor) -> Tensor:
        """The likeliest action, (B, …) as the action space has it."""
        raise NotImplementedError

    def noise(self, uniform: Tensor) -> Tensor:
        """The random numbers that `draw` takes, of uniform ones (…, noise_size) in [0, 1)."""
        return uniform

    def around(self, action: Tensor) -> Tensor:
        """The parameters (B, …) of a distribution around an action, of parts that a script may choose."""
        raise NotImplementedError

    def draw(self, params: Tensor, noise: Tensor, deviation: Tensor | float) -> Tensor:
        """An action drawn from the distribution.

        Args:
            params: (B, …), from `forward`.
            noise: (B, …), from `noise`.
            deviation: standard deviation, for places.
        """
        raise NotImplementedError

    def beyond(self, params: Tensor) -> Tensor | None:
        """(…,) how far the parameters ask for what no action can do, squared: a place off the canvas, say; None where
        an action can do all that they ask for. A loss of it gives the way back a gradient, which clipping does not."""
        return None

    def entropy(self, params: Tensor) -> Tensor | None:
        """(…,) in nats, of what may be drawn; None where the parameters do not decide it, as for places."""
        return None

    def log_prob(self, params: Tensor, action: Tensor, deviation: Tensor | float = 1.0) -> Tensor:
        """(…,) log-probability in nats of actions, or of targets; a target of -1 counts as class 0."""
        raise NotImplementedError


class AnswerHead(Head):
    """A head whose action can be right or wrong.

    Attributes:
        parts: how many parts of an answer are right or wrong by themselves.
        target_size: values in `target_features`.
    """

    parts = 1
    target_size: int

    def hits(self, action: Tensor, target: Tensor) -> Tensor:
        """(…, parts) bool, which parts of an action are right."""
        raise NotImplementedError

    def target_features(self, target: Tensor) -> Tensor:
        """(B, target_size) float32, a target as numbers, for the privileged baseline."""
        raise NotImplementedError


class ViewSize(NamedTuple):
    """Sizes of a `View`.

    Attributes:
        periphery: P.
        place: D; 0 without a place.
        overview: (channels, height, width); () without one.
        glimpse: (scales, channels, height, width); () without one.
        cell: width and height of a cell of the glimpse's finest patch, in the unit of places; () where not known.
        where: W; 0 where the gaze sees the features.
    """

    periphery: int
    place: int
    overview: tuple[int, ...] = ()
    glimpse: tuple[int, ...] = ()
    cell: tuple[float, ...] = ()
    where: int = 0
