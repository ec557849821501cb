"""What was asked for, as one request: experiment files, options and JobSpecs become trials with plans and images."""
