"""Results on the device, in memory and on disk; what was run before; saved outputs; the code's
fingerprint.

May import `engine.protocol` and below. Start at `result_cache.py`. One more type of value that is
kept on disk is told in `result_codec.py`.
"""
