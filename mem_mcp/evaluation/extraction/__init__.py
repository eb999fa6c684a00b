"""Whether the facts that a model extracts are what was said."""
