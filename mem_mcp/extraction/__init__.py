"""What a language model makes of input, and the checks of its answers."""
