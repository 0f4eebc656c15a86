"""The canvas: a graphics scene that mirrors a document, its gestures and its look."""
