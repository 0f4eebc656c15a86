"""The fixed words by which a run says why it runs a node, or does not.

A reason to run is one of these, or how the node differs from its last run: see
`graph.result_keys.why`.
"""

from __future__ import annotations

SAVES = "it saves or shows something"
READS_LINKED_FILE = "it reads a file that a wire names"
NOT_KEPT = "its result was not kept"
FILES_STAND = "its files still stand"
