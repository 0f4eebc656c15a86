"""What the nodes of ComfyUI are here, a module a family of them: each has `MAPPINGS`, by class.

One more is a row there: a Mapped, or a function where names alone do not say it.
"""
