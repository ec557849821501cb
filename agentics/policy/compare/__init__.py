"""Variants compared: pairs, statistics, replications."""
