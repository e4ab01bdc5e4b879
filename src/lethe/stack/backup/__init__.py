"""Backup of a stack, and the drill that proves it.

The work is restic's: encrypted, deduplicated, restartable, with retention. Ours is what restic cannot know:
which files a database speaks of, so that database and files of one backup fit together, and whether all of it
comes back.
"""
