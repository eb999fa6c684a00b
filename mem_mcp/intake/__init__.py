"""What is taken out of a caller's texts before anything works with them."""
