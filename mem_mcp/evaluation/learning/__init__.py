"""Whether the memory gets better with use."""
