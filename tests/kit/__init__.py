"""Makers of test data: no patient was ever here."""
