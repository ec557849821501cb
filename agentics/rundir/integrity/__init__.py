"""Whether a run directory is what it says: checks, verification, validation, trust."""
