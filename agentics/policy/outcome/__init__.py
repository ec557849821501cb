"""From trials to the outcome of a run, and to its exit status."""
