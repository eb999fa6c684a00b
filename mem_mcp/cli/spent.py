"""What models took, in words."""

from __future__ import annotations

from decimal import Decimal

from mem_mcp.api.models import LLMUsage

_CENT = 0.01


def spent(used: LLMUsage) -> str:
    """Write tokens, sent and received, and cost."""
    tokens = [f"{count:,}" for count in (used.input_tokens, used.output_tokens) if count]
    cost = "cost unknown" if used.cost_usd is None else f"{_amount(used.cost_usd)} dollars"
    return f"{' + '.join(tokens)} tokens, {cost}" if tokens else cost


def _amount(dollars: float) -> str:
    # One call may cost a millionth: two digits that say something, never an exponent.
    return f"{dollars:,.2f}" if dollars >= _CENT else f"{Decimal(f'{dollars:.2g}'):f}"
