"""How fast and how large, beside the same by hand."""
