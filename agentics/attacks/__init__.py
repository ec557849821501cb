"""The attack suite: hostile cases with their expected ends, one runner for tests and for `agentics doctor --attack`.

The cases are files of `attacks/` at the top of the repository; `cases` here is a link to it.
"""
