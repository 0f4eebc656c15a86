"""The fixed words by which a plan says what becomes of a node, and a run why it runs one.

A plan's text of a node is "cached: TIER", "skipped: WHY", "runs: REASON" or NOT_NEEDED. A reason is
one of these, or how the node differs from its last run: see `graph.result_keys.why`.
"""

from __future__ import annotations

NOT_NEEDED = "not needed"
SAVES = "it saves or shows something"
READS_LINKED_FILE = "it reads a file that a wire names"
NOT_KEPT = "its result was not kept"
