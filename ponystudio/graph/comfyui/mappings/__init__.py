"""What the nodes of ComfyUI are here, a module a family of them: each has `MAPPINGS`, by class.

One more is a row there: a Mapped, or a function where names alone do not say it. Of a node of a
pack the order of its values is a row of `SIGNATURES` in the same module; a class that has one and
no mapping is a stand-in whose values have their names.
"""
