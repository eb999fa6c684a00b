"""What a memory can do: one file a verb, and the facade over them."""
