"""One file an operation: its steps from top to bottom."""
