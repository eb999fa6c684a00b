"""What a language model reads, and what its answers come to once they are checked."""
