"""What use teaches: how memories do, what is hidden and archived for it, and why."""
