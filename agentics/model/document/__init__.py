"""Documents: strict JSON, YAML and TOML, the place of every problem, and the types that all documents share."""
