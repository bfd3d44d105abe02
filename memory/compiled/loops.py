"""How a DNC's step is compiled, row by row of the batch.

Left to PyTorch, a step goes over the links a dozen times and waits a hundred times for an operation to begin. Here a
row is made, used and differentiated while it lies in the cache. Results are put into the last arguments; gradients are
added to what is there, where nothing else is said. Numba is an extra (`pip install -e '.[fast]'`); the formulas are
those of `memory.addressing`, the numbers too, up to rounding.

LLVM makes vectors of a loop over many arrays only where it can tell that they do not overlap. So all that goes with a
slot, or with a row of links, lies in one scratch array, at distances known when it is compiled: a tile holds so many
columns of everything, and heads come as four (`memory.compiled.HEADS`), of which some may be zeros. That is twice
as fast as a loop for each head.

Shapes: N rows, S slots, W the width of a slot, H read heads.
"""

from __future__ import annotations

import numba

FAST = {"reassoc", "contract", "nsz", "arcp"}
"""Sums in any order, so that they are vectorised; NaN and infinity stay what they are."""

# Numba's cache looks at a function's own file alone: after a change of FAST, HEADS or EPSILON, delete __pycache__/*.nb?
loops = numba.njit(cache=True, nogil=True, fastmath=FAST)
