# Lists a Makefile's documented targets and knobs: `target: ## what` and `KNOB ?= value## what`.
/^[a-zA-Z0-9_%\/-]+:.*## / {
  target = $0; sub(/:.*/, "", target)
  what = $0; sub(/^.*## /, "", what)
  targets = targets sprintf("  %-15s %s\n", target, what)
}
/^[A-Z_]+ \?=.*##/ {
  knob = $0; sub(/ .*/, "", knob)
  value = $0; sub(/^[^=]*= ?/, "", value); sub(/ *##.*/, "", value)
  what = $0; sub(/^.*## */, "", what)
  knobs = knobs sprintf("  %-27s %s\n", knob "=" value, what)
}
END { printf "targets:\n%sknobs:\n%s", targets, knobs }
