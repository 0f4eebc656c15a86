"""The worker: plan, execute, cache results, pool weights."""
