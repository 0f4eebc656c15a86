"""The side of the worker that lives in the application: start, supervise, restart."""
