"""What challenge authors and participants write: challenges, solutions, manifests, evaluators' results."""
