"""Run the matrix of engines, keep the results, and write the table of docs/engines.md.

eg: python -m tests.engines                   every row
    python -m tests.engines "forky classic"   those whose name begins so
    python -m tests.engines --table           only the table, from the results as they are
"""

from __future__ import annotations

import argparse
import json

from scripts.common.errors import CHECK_FAILED, OK, run
from scripts.engine import client as engine
from tests.engines import matrix, table


def main() -> int:
    """Run the requested rows; exit code 1 when a step of one failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.engines", description=__doc__)
    parser.add_argument("rows", nargs="*", help="beginnings of rows' names; all without one")
    parser.add_argument("--table", action="store_true", help="write the table alone")
    arguments = parser.parse_args()
    results = table.read()
    wanted = [row for row in matrix.ROWS if row.name.startswith(tuple(arguments.rows) or "")]
    if not wanted:
        parser.error(f"no such row, there are: {', '.join(row.name for row in matrix.ROWS)}")
    ran = {}
    for row in [] if arguments.table else wanted:
        ran[row.name] = matrix.run(engine.connect(timeout=600), row)
        table.RESULTS.write_text(json.dumps(results | table.plain(ran), indent=1) + "\n")
    table.write(table.read())
    return OK if all(result.ok for result in ran.values()) else CHECK_FAILED


if __name__ == "__main__":
    run(main)
