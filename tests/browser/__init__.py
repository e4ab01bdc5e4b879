"""The collection page in a real browser, against the embedded archive."""
