"""The worker process: spawned, heard, reaped, and as signals.

May import `engine.protocol`. Start at `worker_process.py`.
"""
