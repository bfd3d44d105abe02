"""The recurrent core: what the agent carries from step to step beside its memory."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


class Core(nn.Module):
    """What every core is: an input and a state in, an output and the next state out.

    Attributes:
        state_size: width of the state, which begins with zeros.
        where_size: how many of the output's last values are for the gaze alone, and learn from it; 0 where the gaze
            sees all of the output, and teaches it nothing.
    """

    state_size: int
    where_size: int = 0

    def forward(self, input: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Input (N, inputs) and state (N, state_size) to output (N, width + where_size) and state."""
        raise NotImplementedError


class ReluCore(Core):
    """h_t = relu(W x_t + U h_{t-1}), the paper's core (Mnih et al. 2014, section 4), U beginning as the identity.

    Args:
        inputs: width of the input.
        width: of the core.
    """

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.state_size = width
        self.input = nn.Linear(inputs, width)
        self.recurrent = nn.Linear(width, width, bias=False)
        nn.init.eye_(self.recurrent.weight)  # remembers at first what it saw (Le, Jaitly & Hinton 2015)

    def forward(self, input: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Input (N, inputs) and state (N, width) to output and state."""
        output = torch.relu(self.input(input) + self.recurrent(state))
        return output, output


class LSTMCore(Core):
    """A long short-term memory (Hochreiter & Schmidhuber 1997), the controller of NTM and DNC.

    Args:
        inputs: width of the input.
        width: of the core.
    """

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.state_size = 2 * width
        self.cell = nn.LSTMCell(inputs, width)

    def forward(self, input: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Input (N, inputs) and state (N, 2 width), output and cell, to output and state."""
        output, cell = self.cell(input, tuple(state.chunk(2, dim=1)))
        return output, torch.cat([output, cell], dim=1)


class GRUCore(Core):
    """A gated recurrent unit (Cho et al. 2014): what a step has nothing to say about stays as it is.

    Args:
        inputs: width of the input.
        width: of the core.
    """

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.state_size = width
        self.cell = nn.GRUCell(inputs, width)

    def forward(self, input: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Input (N, inputs) and state (N, width) to output and state."""
        output = self.cell(input, state)
        return output, output


class DRAMCore(Core):
    """Two LSTMs, one on the other: *what* for the answers, *where* for the gaze (Ba et al. 2015, section 3).

    The lower reads the input, and the upper what the lower makes of it. The answer reads the lower alone. The policy
    gradient trains both: nothing is detached between them.

    Args:
        inputs: width of the input.
        width: of each of the two.
    """

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.state_size, self.where_size = 4 * width, width
        self.what, self.where = LSTMCore(inputs, width), LSTMCore(width, width)

    def forward(self, input: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Input (N, inputs) and state (N, 4 width) to output (N, 2 width), *what* and then *where*, and state."""
        below, above = state.chunk(2, dim=1)
        what, below = self.what(input, below)
        where, above = self.where(what, above)
        return torch.cat([what, where], dim=1), torch.cat([below, above], dim=1)


class MaxCore(Core):
    """h_t = max(h_{t-1}, W x_t + b), beginning with 0: what was found stays found, in whatever order it was seen.

    The symmetric function of a set of Qi et al. 2017 ("PointNet", section 4.2), step by step. A glimpse of nothing
    takes nothing away, and the gradient reaches the glimpse that found something directly.

    Args:
        inputs: width of the input.
        width: of the core.
    """

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.state_size = width
        self.input = nn.Linear(inputs, width)

    def forward(self, input: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Input (N, inputs) and state (N, width) to output and state."""
        output = torch.maximum(self.input(input), state)
        return output, output


class SetCore(MaxCore):
    """Half of it as `MaxCore`, what was found; the other half h_t = h_{t-1} + relu(W x_t + b), how much of it.

    Nothing but the input is learned, so that what is true of one order of glimpses is true of all: the sum of Zaheer et
    al. 2017 ("Deep Sets", theorem 2), step by step.
    """

    def forward(self, input: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Input (N, inputs) and state (N, width) to output and state."""
        (found, more), (before, sums) = self.input(input).chunk(2, dim=1), state.chunk(2, dim=1)
        output = torch.cat([torch.maximum(found, before), sums + torch.relu(more)], dim=1)
        return output, output


CORES: dict[str, Callable[[int, int], Core]] = {
    "rnn": ReluCore,
    "lstm": LSTMCore,
    "gru": GRUCore,
    "dram": DRAMCore,
    "max": MaxCore,
    "set": SetCore,
}
