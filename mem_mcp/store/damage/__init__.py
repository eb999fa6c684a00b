"""Damaged stores: find what is damaged, read what is left of it, and repair it."""
