"""How agents learn: losses, estimators, optimizers, the training loop, checkpoints."""
