"""Adapters that ship: programs of their own, which know a run only by the files and names that every adapter gets."""
