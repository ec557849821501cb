"""Nouns: frozen, strict models without I/O. One file per contract."""
