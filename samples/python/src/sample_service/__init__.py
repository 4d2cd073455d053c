"""What sample-service does, in one line."""
