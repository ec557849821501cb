"""The styles of statuses on a terminal."""

from __future__ import annotations

STYLES = {"passed": "green", "degraded": "yellow", "no_samples": "yellow", "skipped": "dim", "pending": "dim"}
"""Every other status is red."""
