"""The worker process: main loop and service.

May import all of the engine. Start at `worker_main.py`. One more command is a class in
`engine/protocol/worker_messages.py` and a `case` here.
"""
