"""Whether a model answers better from the memory."""
