"""The data sets, read in their original formats."""
