"""The stage contract and the one loop that carries a plan out."""
