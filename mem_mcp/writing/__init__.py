"""From new memories to versions in the store."""
