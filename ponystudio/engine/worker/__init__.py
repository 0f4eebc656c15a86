"""The worker process: main loop and service.

May import all of the engine. Start at `worker_main.py`.
"""
