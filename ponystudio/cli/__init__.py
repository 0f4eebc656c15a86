"""The command line: arguments, and one module a command.

May import the engine and below; the studio only by name. Start at `arguments.py`; one more
command is a module with `main(arguments)` and a parser there.
"""
