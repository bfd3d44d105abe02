"""What `runs.train_sb3` needs of Stable-Baselines3."""

import agents.sb3  # noqa: F401  # says what to install where Stable-Baselines3 is missing
