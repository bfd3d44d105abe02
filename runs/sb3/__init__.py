"""What `runs.train_sb3` needs of Stable-Baselines3."""
