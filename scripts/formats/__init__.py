"""How check results are shown: one module for people's tables, one for each machine's format."""
