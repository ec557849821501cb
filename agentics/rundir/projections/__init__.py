"""What is made of a run directory and can be made again: outcomes, analysis, explanations, the attestation."""
