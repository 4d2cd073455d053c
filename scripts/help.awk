# Lists a Makefile's documented targets by group, and its knobs: `# ---- group ---`,
# `target: ## what` and `KNOB ?= value## what`. A group without a documented target is left out.
/^# ---- / {
  group = $3 ":\n"
}
/^[a-zA-Z0-9_%\/-]+:.*## / {
  target = $0; sub(/:.*/, "", target)
  what = $0; sub(/^.*## /, "", what)
  targets = targets group sprintf("  %-15s %s\n", target, what)
  group = ""
}
/^[A-Z_]+ \?=.*##/ {
  knob = $0; sub(/ .*/, "", knob)
  value = $0; sub(/^[^=]*= ?/, "", value); sub(/ *##.*/, "", value)
  what = $0; sub(/^.*## */, "", what)
  knobs = knobs sprintf("  %-27s %s\n", knob "=" value, what)
}
END { printf "%s\nknobs, as in `make prod BASE=alpine` or from the environment:\n%s", targets, knobs }
