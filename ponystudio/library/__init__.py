"""Model files without torch: folders, headers, the safe pickle reader, recognition, hashes."""
