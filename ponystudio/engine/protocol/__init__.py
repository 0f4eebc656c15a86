"""What crosses the pipe between studio and worker: commands, messages, the events of a run.

The only part of the engine that the studio may import; loads neither torch nor Qt. Start at
`worker_messages.py`; `frames.py` says how they look on the pipe. One more event is a class
in `run_events.py` and a case in who handles it, `studio/runs/run_monitor.py`.
"""
