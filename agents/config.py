"""The options of an `AttentionAgent`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Join = Literal["product", "norm", "sum"]
Saccades = Literal["relative", "absolute", "cells", "words", "none"]
GlimpseKind = Literal["linear", "patches", "blocks", "paper_cnn", "deep_cnn", "resnet"]
CoreKind = Literal["rnn", "lstm", "gru", "dram", "max", "set", "none"]
SentenceKind = Literal["bag", "attention"]


@dataclass(frozen=True)
class AgentConfig:
    """The form of an `AttentionAgent`; `AgentConfig.paper()` is that of Mnih et al. 2014."""

    width: int = 256
    """Width of what the encoders make of an observation, and of the recurrent core."""
    join: Join = "product"
    """How what and where meet: "product"; "norm", a product in which all that says what has one length, so that a
    memory compares glimpses as much as anything else; or "sum" as in the paper."""
    where_hidden: int = 0
    """Hidden units for the place in a product. They matter where no periphery tells which part of a thing is seen."""
    where_stream: int = 128
    """Hidden units of the gaze's own stream; 0 is the paper's linear layer on the core."""
    saccades: Saccades = "relative"
    """Whether the policy's mean is a step from the present fixation or a place on the canvas; "cells" chooses among the
    cells of an overview, and needs one; "words" among the words of a hidden text; "none" stays at the first fixation,
    for an agent that sees the whole image at once."""
    cell_channels: int = 8
    """Channels of the first of the convolutions that make a map of these cells. Of digits among pieces of digits, 16
    tell more than 8."""
    initial_saccade: float = 0.0
    """The mean of the gaze before any training: -1 goes back one line at a time in a story."""
    privileged_baseline: bool = True
    """Whether the baseline sees the target (in training only; the agent never does)."""
    glimpse_encoder: GlimpseKind = "linear"
    """How a glimpse becomes a vector: "linear"; "patches", two small convolutions over its patches; "blocks", four with
    pooling; or a network over a whole image: "paper_cnn" is that of Mnih et al. 2014, section 4.1; "deep_cnn" has five
    convolutions, then the maximum; "resnet" is ResNet-18."""
    channels: int = 32
    """Channels of the first convolution of "blocks" and "deep_cnn"."""
    encoder: SentenceKind = "bag"
    """How a line of text becomes a vector: "bag" (position encoding) or "attention" over its words."""
    dropout: float = 0.0
    """Rate at which an encoder of single words leaves out what it sees, in training."""
    ignore: tuple[str, ...] = ("time",)
    """Parts of the observation that no encoder sees. A recurrent core counts its steps itself."""
    asks: tuple[str, ...] = ()
    """Parts of the observation that query the memory, while all others are written to it; for core "none". Without any,
    everything that is seen is both written and used as the query."""
    core: CoreKind = "rnn"
    """A row of `agents.core.CORES`; or "none": the memory alone remembers, and all steps of an episode are evaluated at
    once."""
    memory: str = "none"
    """A row of `memory.MEMORIES`. Without a core, "none" remembers nothing: a control."""
    memory_options: tuple[str, ...] = ()
    """Keyword options of that memory, as `slots=64 heads=4`."""
    core_limit: float = 20.0
    """Largest absolute value that the core hands to a memory."""
    compile: bool = False
    """Compile the memory's step with `torch.compile`; this needs a C++ compiler or a GPU."""

    @staticmethod
    def paper() -> AgentConfig:
        """The network of Mnih et al. 2014, section 4."""
        return AgentConfig(join="sum", where_stream=0, saccades="absolute", privileged_baseline=False)
