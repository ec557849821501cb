"""Model workers: how one is started, and the pool that a run shares."""
