"""What memories did, in numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from runs.traces.memory_statistics import memory_scalars, read_entropy, usage, write_entropy
from runs.traces.trace import Trace


def test_a_sharp_read_has_no_entropy() -> None:
    sharp = np.zeros((4, 2, 5))
    sharp[..., 3] = 1
    assert read_entropy(sharp) == 0
    assert read_entropy(np.full((4, 2, 5), 0.2)) == pytest.approx(math.log(5))
    assert read_entropy(np.zeros((4, 2, 5))) == 0


def test_writing_each_step_into_a_slot_of_its_own_is_even_and_fills_as_many() -> None:
    write = np.eye(3, 4)
    assert write_entropy(write) == pytest.approx(math.log(3))
    assert usage(write) == pytest.approx(3 / 4)
    again = np.zeros((3, 4))
    again[:, 1] = 0.5
    assert write_entropy(again) == 0
    assert usage(again) == pytest.approx((1 - 0.5**3) / 4)


def test_what_a_memory_has_no_weights_for_is_left_out() -> None:
    nothing = np.zeros((1, 1))
    trace = Trace(0, "bits", np.zeros((2, 1)), nothing, nothing, nothing, read=np.full((2, 1, 4), 0.25))
    assert memory_scalars([trace]) == {"memory/read_entropy": pytest.approx(math.log(4))}
    assert memory_scalars([]) == {}
