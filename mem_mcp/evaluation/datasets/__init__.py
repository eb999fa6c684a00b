"""What is measured on: data sets in their original formats."""
