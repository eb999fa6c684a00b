"""Whether a model's facts are what was said."""
