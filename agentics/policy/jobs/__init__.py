"""Model evaluations: results, judges, artifacts, comparisons, ingestion."""
