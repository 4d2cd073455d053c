"""The public HTTP API of Sutra."""
