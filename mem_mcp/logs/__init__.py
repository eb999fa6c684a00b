"""Append-only records beside the memories."""
