"""Pictures that were made: index, thumbnails, comparison, graph differences.

May import `studio.documents` and below. Start at `result_library.py`.
"""
