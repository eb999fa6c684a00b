"""Learning from use: feedback, outcomes and recalls change, rank and summarise memories."""
