"""What is kept and drawn of episodes: a trajectory in, pictures and tables out."""
