"""Model evaluations: JobSpecs, suites, plugins, judges, and what passes between us and a model worker."""
