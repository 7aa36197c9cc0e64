"""The audit: what would let a network cheat on a dataset, and how blatantly.

Reading is in `observation` (one module for each family of traces: `container`, `history`, `values`), judging in `findings`,
`separation`, `copies` and `counts`, which see values only. Showing it is left to the command.
"""

from manyheads_contributor.audit.findings import Finding, Level
from manyheads_contributor.audit.report import AuditReport, SourceSummary, audit_dataset

__all__ = ["AuditReport", "Finding", "Level", "SourceSummary", "audit_dataset"]
