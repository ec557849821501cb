"""Runs: experiments, outcomes, events, ledgers, attestations, and the files of a run directory."""
