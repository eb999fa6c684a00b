"""From a question to the memories that answer it: what is seen, searched and ranked."""
