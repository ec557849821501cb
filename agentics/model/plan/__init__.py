"""What will be done, as data: plans and pipelines."""
