"""How good recall is: data sets become cases, cases become rows, rows become a report."""

from mem_mcp.evaluation.report import Report
from mem_mcp.evaluation.run import evaluate

__all__ = ["Report", "evaluate"]
