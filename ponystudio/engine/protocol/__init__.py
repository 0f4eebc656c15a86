"""What crosses the pipe between studio and worker: requests, events, frames.

The only part of the engine that the studio may import. Start at `run_events.py`; one more event
is a class there.
"""
