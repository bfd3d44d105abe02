"""A step of the DNC as one compiled piece, for trainings on the host."""

HEADS = 4
"""Most read heads of such a step: its loops are written out for four."""
