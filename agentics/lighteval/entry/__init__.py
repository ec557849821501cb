"""The worker: runs in an environment of its own (`python -m agentics.lighteval.entry EXCHANGE`), where LightEval is.

It imports nothing of agentics but itself, and is told everything by orders.
"""
