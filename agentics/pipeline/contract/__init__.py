"""The stage contract: what a stage is, says of itself and leaves as a trace."""
