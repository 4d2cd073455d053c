"""The checks of Sutra for container images that were built anywhere."""
