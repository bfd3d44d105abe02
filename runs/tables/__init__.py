"""The tables of `runs/RESULTS.md`, beside those that `runs.results` writes itself."""
