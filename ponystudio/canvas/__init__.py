"""The graph on screen.

May import `widgets`, `studio` and below. Rooms, each knowing only those before it: `fields`,
`scene`, `painting`, `view`, `palette`, `gestures`, `commands`. Start at `view/view.py`.
"""
