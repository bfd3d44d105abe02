"""What `runs.benchmark` measures, a file a section."""
