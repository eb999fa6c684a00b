"""Append-only logs beside the memories: ratings, recalls, and calls of models."""
