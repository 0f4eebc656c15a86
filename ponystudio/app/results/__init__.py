"""Looking at pictures: the index of results, the strip, the viewer, comparing two."""
