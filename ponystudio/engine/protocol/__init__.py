"""What crosses the pipe between studio and worker: commands, messages, the events of a run.

The only part of the engine that the studio may import; loads neither torch nor Qt. Start at
`worker_commands.py` and `worker_messages.py`; `message_codec.py` says how they look as frames. One
more event is a class in `run_events.py` and a case in who handles it, `studio/runs/run_monitor.py`.
"""
