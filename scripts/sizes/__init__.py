"""What images weigh: figures kept by digest, what checks them, and what measures anew."""
