"""Decisions: pure functions from nouns to nouns. No I/O, no clock, no ids."""
