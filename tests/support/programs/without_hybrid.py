"""Runs inside a checkout: take the hybrid out of the build graph and of the promises."""

from pathlib import Path

import yaml

bake, promises = Path("docker-bake.hcl"), Path("images.yaml")
lines = bake.read_text().splitlines(keepends=True)
kept = [line for line in lines if '{ name = "sutra-hybrid"' not in line]
assert len(kept) == len(lines) - 1
bake.write_text("".join(kept))
content = yaml.safe_load(promises.read_text())
del content["images"]["sutra-hybrid"]
promises.write_text(yaml.safe_dump(content, sort_keys=False))
