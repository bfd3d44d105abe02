"""Scripts: train, evaluate, watch, results."""
