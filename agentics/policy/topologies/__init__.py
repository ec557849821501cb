"""How a challenge becomes a plan: one sibling module per topology."""
