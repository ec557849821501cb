"""Runs: schedules, replays, grades, and the boundary to adapters."""
