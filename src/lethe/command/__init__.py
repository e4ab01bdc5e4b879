"""What runs inside a container: read the input mount, do one thing, write the output mount."""
