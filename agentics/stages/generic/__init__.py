"""Stages for pipelines of any kind."""
