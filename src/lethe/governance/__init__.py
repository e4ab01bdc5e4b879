"""Collections, roles, visibility and the gates before publication."""
