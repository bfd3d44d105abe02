"""Pictures of what was recorded: arrays in, RGB arrays out."""
