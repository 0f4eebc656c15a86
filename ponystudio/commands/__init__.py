"""The commands of `ponystudio`, one module each, loaded when called."""
