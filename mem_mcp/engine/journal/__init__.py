"""Append-only records beside the memories: feedback, answers given, calls to models."""
