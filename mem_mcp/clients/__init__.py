"""The programs that use the memory, and how it is entered into their configuration."""
