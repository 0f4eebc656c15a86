"""The worker process: reads commands, runs graphs, answers with messages.

May import all of the engine. Start at `worker_main.py`; one more command is a class in
`engine/protocol/worker_commands.py` and a case in `Worker`.
"""
