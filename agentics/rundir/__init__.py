"""The truth: the only writer of a run directory, and its reader."""
