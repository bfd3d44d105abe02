"""A step of the DNC as one compiled piece, for trainings on the host."""
