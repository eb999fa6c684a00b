"""Writing: from new memories to versions in the store."""
