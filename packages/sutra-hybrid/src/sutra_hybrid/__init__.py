"""Finds similar concepts: TF-IDF, a truncated SVD and nearest neighbours."""
