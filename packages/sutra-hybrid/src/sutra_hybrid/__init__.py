"""Finds similar concepts, and answers questions with the path of concepts that explains it."""

import os

# Read by the libraries when they are loaded. One thread does an index, the other cores answer;
# and sums that are split in another way on another machine end in other last digits.
for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
