"""Trials and attempts: drives the pipeline, writes the run directory."""
