"""What the Sutra services share. Imports nothing, so that the health check starts fast."""
