"""The worker as the studio sees it: its process, and a session of it in signals.

May import `engine.protocol`. Start at `worker_session.py`.
"""
