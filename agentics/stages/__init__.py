"""Built-in stages: each knows one thing and can be tested alone."""
