"""`python -m agentics`."""

from agentics.cli import main

main()
