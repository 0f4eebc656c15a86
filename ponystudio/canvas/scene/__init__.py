"""Items, their layout, hit test and focus; follows a document.

May import `canvas.fields`. Start at `scene.py`: `item_store.py` has what is there,
`scene_sync.py` keeps it true to the document. One more kind of item is a class in `items.py`, and
these two and `hit_test.py` know of it.
"""
