"""The command line: arguments, and one module a command.

May import the engine and below; the studio only by name. Start at `arguments.py`; one more
command is a module with `add_arguments(parser)` and `main(arguments)`, and its row in `COMMANDS`
there.
"""
