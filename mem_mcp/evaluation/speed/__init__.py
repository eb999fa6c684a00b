"""How fast and how large the memory is, compared with the same work done by hand."""
