"""The rules of a JobSpec that its schema cannot say, by what they are about. Each module's `rules` are for `load`."""
