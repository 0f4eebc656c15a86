"""What a run would do with one node."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

NodeStatus = Literal["runs", "cached", "skipped", "not needed"]

RUNS: NodeStatus = "runs"
CACHED: NodeStatus = "cached"
UP_TO_DATE: NodeStatus = "skipped"
NOT_NEEDED: NodeStatus = "not needed"


class NodePlan(Struct, frozen=True, gc=False):
    """`detail`: why it runs, in which tier its result is, or why it is skipped."""

    status: NodeStatus
    detail: str = ""

    @property
    def text(self) -> str:
        """ "runs: seed changed", "cached: disk", "not needed"."""
        return f"{self.status}: {self.detail}" if self.detail else self.status
