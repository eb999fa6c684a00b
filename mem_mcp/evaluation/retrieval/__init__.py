"""Whether recall finds what it should, and how much of it fits."""
