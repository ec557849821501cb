"""Scripts that run inside containers: standard library only, Python 3.9 or newer, each complete in one file.

The directory is mounted read-only at /agentics of a coexecuted container. Nothing on the host imports these modules;
the host knows only where they lie.
"""
