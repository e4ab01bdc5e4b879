"""Publication: what may leave the intake project, and in which shape."""
