"""How far an effect applies."""


def ramp(value: float, low: float, high: float) -> float:
    """Return 0 up to `low`, 1 from `high` on, and the linear interpolation between them."""
    return min(max((value - low) / (high - low), 0.0), 1.0)
