"""Clinical tables: variable dictionary, checks, linking to PRIDs, scrambling by role."""
