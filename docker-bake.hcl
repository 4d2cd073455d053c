# The build graph: every image and what it is built from. Image names are target
# names; budgets are in images.yaml; everything else derives from these two.
#
#   eg: docker buildx bake --print prod

# ---- knobs (see `make help`) -----------------------------------------------

# which root the images stand on: debian or alpine
variable "BASE" { default = "debian" }
variable "DEBIAN_VERSION" { default = "trixie-slim" }
variable "ALPINE_VERSION" { default = "3.23" }
# empty: the root image's own mirror, pip's and cargo's own defaults
variable "APT_MIRROR" { default = "" }
variable "ALPINE_MIRROR" { default = "" }
variable "PIP_INDEX_URL" { default = "" }
variable "CARGO_REGISTRY" { default = "" }
# certificates that builders trust; reaches them as a secret, never an image
variable "CA_BUNDLE" { default = "" }

# ---- set by scripts/build/bake.py -----------------------------------------------

# a named context for the root image, where no registry serves it
variable "ROOT_CONTEXT" { default = "" }
variable "VERSION" { default = "0.0.0" }
variable "REVISION" { default = "unknown" }
variable "CREATED" { default = "1970-01-01T00:00:00Z" }
# whose images these are: what a clean-up may remove
variable "SUTRA_PROJECT" { default = "sutra" }

group "default" { targets = ["prod"] }
group "bases" { targets = ["sutra-base-python", "sutra-base-rust-runtime"] }
# in every group that uses them: buildx before 0.17 unpacks a target that is only
# built upon into the engine, whatever its output says (buildx#2580)
group "builders" { targets = ["python-builder", "rust-builder"] }
group "prod" { targets = ["builders", "bases", "sutra-api", "sutra-hybrid", "sutra-storage-server"] }
group "dev-bases" { targets = ["sutra-base-python-dev", "sutra-base-rust-dev"] }
group "dev" { targets = ["builders", "dev-bases", "sutra-api-dev", "sutra-hybrid-dev", "sutra-storage-server-dev"] }
# the packages' own tests; nothing is exported
group "test" { targets = ["builders", "sutra-api-test", "sutra-hybrid-test", "sutra-storage-server-test"] }

target "_common" {
  args = {
    VERSION  = VERSION
    REVISION = REVISION
    CREATED  = CREATED
  }
  labels = { "org.sutra.project" = SUTRA_PROJECT }
  secret = CA_BUNDLE == "" ? [] : ["type=file,id=ca,src=${CA_BUNDLE}"]
}

# ---- base images -----------------------------------------------------------

target "_base" {
  inherits = ["_common"]
  context  = "base-images"
  contexts = ROOT_CONTEXT == "" ? {} : {
    (BASE == "alpine" ? "alpine:${ALPINE_VERSION}" : "debian:${DEBIAN_VERSION}") = ROOT_CONTEXT
  }
  args = {
    BASE           = BASE
    DEBIAN_VERSION = DEBIAN_VERSION
    ALPINE_VERSION = ALPINE_VERSION
    APT_MIRROR     = APT_MIRROR
    ALPINE_MIRROR  = ALPINE_MIRROR
  }
}

target "sutra-base-python" {
  inherits   = ["_base"]
  dockerfile = "python-prod.Dockerfile"
  tags       = ["sutra-base-python:prod"]
  output     = ["type=docker"]
}

target "sutra-base-rust-runtime" {
  inherits   = ["_base"]
  dockerfile = "rust-runtime-prod.Dockerfile"
  tags       = ["sutra-base-rust-runtime:prod"]
  output     = ["type=docker"]
}

# What production builders start FROM. Nothing is exported: only `dev` asks for
# these as images, and unpacking a toolchain takes longer than all else.
target "python-builder" {
  inherits   = ["_base"]
  dockerfile = "python-dev.Dockerfile"
  output     = ["type=cacheonly"]
}

target "rust-builder" {
  inherits   = ["_base"]
  dockerfile = "rust-dev.Dockerfile"
  output     = ["type=cacheonly"]
}

target "sutra-base-python-dev" {
  inherits = ["python-builder"]
  tags     = ["sutra-base-python:latest", "sutra-base-python:dev"]
  output   = ["type=docker"]
}

target "sutra-base-rust-dev" {
  inherits = ["rust-builder"]
  tags     = ["sutra-base-rust:latest", "sutra-base-rust:dev"]
  output   = ["type=docker"]
}

# ---- services --------------------------------------------------------------

# BuildKit names the context of an image with tag "latest" without that tag.
target "_python-package" {
  inherits = ["_common"]
  contexts = { "sutra-base-python" = "target:python-builder" }
  args     = { PIP_INDEX_URL = PIP_INDEX_URL }
}

target "_python-service" {
  inherits = ["_python-package"]
  contexts = { "sutra-base-python:prod" = "target:sutra-base-python" }
}

target "_rust-package" {
  inherits = ["_common"]
  contexts = { "sutra-base-rust" = "target:rust-builder" }
  args     = { CARGO_REGISTRY = CARGO_REGISTRY, SUTRA_PROJECT = SUTRA_PROJECT }
}

target "_rust-service" {
  inherits = ["_rust-package"]
  contexts = { "sutra-base-rust-runtime:prod" = "target:sutra-base-rust-runtime" }
}

target "sutra-api" {
  inherits   = ["_python-service"]
  dockerfile = "packages/sutra-api/Dockerfile.prod"
  tags       = ["sutra-api:prod"]
  output     = ["type=docker"]
}

target "sutra-hybrid" {
  inherits   = ["_python-service"]
  args       = { APT_MIRROR = APT_MIRROR, BASE = BASE }
  dockerfile = "packages/sutra-hybrid/Dockerfile.prod"
  tags       = ["sutra-hybrid:prod"]
  output     = ["type=docker"]
}

target "sutra-storage-server" {
  inherits   = ["_rust-service"]
  dockerfile = "packages/sutra-storage/Dockerfile.prod"
  tags       = ["sutra-storage-server:prod"]
  output     = ["type=docker"]
}

target "sutra-api-dev" {
  inherits   = ["_python-package"]
  dockerfile = "packages/sutra-api/Dockerfile"
  tags       = ["sutra-api:dev"]
  output     = ["type=docker"]
}

target "sutra-hybrid-dev" {
  inherits   = ["_python-package"]
  dockerfile = "packages/sutra-hybrid/Dockerfile"
  tags       = ["sutra-hybrid:dev"]
  output     = ["type=docker"]
}

target "sutra-storage-server-dev" {
  inherits   = ["_rust-package"]
  dockerfile = "packages/sutra-storage/Dockerfile"
  tags       = ["sutra-storage-server:dev"]
  output     = ["type=docker"]
}

target "_test" {
  target = "test"
  output = ["type=cacheonly"]
}

target "sutra-api-test" {
  inherits   = ["_python-service", "_test"]
  dockerfile = "packages/sutra-api/Dockerfile.prod"
}

target "sutra-hybrid-test" {
  inherits   = ["_python-service", "_test"]
  args       = { APT_MIRROR = APT_MIRROR, BASE = BASE }
  dockerfile = "packages/sutra-hybrid/Dockerfile.prod"
}

target "sutra-storage-server-test" {
  inherits   = ["_rust-package", "_test"]
  dockerfile = "packages/sutra-storage/Dockerfile.prod"
}
