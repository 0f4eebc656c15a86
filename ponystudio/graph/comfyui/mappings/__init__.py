"""What the nodes of ComfyUI are here, a module a family of them: each has `MAPPINGS`, by class.

One more is a row there: a Mapped, or a function where names alone do not say it. Of a node of a
pack the order of its values is a row of `SIGNATURES` in the same module; a class that has one and
no mapping is a stand-in whose values have their names.

A Mapped says the way back, too. Where a function maps a class, the one that maps our type is a row
of `EXPORTS`, by the type.
"""
