"""The container boundary: what is asked of an engine, and what is known afterwards."""
