"""Attempts that run: freeze, thaw and end them; requests of controllers; signals."""
