"""Pictures that were made: index, thumbnails, comparison, graph differences.

May import `studio.documents` and below. Start at `result_library.py`. One more fact of a picture is
a field of PictureRecord (`picture_record.py`), which is a column of the table, too.
"""
