# The build graph: every image and what it is built from. Image names are target
# names; budgets are in images.yaml; everything else derives from these two.
#
#   eg: docker buildx bake --print prod

# ---- knobs (see `make help`) -----------------------------------------------

# root image of all images: debian or alpine
variable "BASE" { default = "debian" }
variable "DEBIAN_VERSION" { default = "trixie-slim" }
variable "ALPINE_VERSION" { default = "3.23" }
# empty: the root image's own mirror, pip's, cargo's, Go's and npm's own defaults
variable "APT_MIRROR" { default = "" }
variable "ALPINE_MIRROR" { default = "" }
variable "PIP_INDEX_URL" { default = "" }
variable "CARGO_REGISTRY" { default = "" }
variable "GOPROXY" { default = "" }
variable "NPM_REGISTRY" { default = "" }
# certificates that builders trust; reaches them as a secret, never an image
variable "CA_BUNDLE" { default = "" }

# ---- set by scripts/build/bake.py -----------------------------------------------

# a named context for the root image, where no registry serves it
variable "ROOT_CONTEXT" { default = "" }
# another platform than the builder's own, "linux/arm64", and a named context for its root image
variable "PLATFORM" { default = "" }
variable "PLATFORM_ROOT_CONTEXT" { default = "" }
variable "PLATFORM_ROOT" { default = "" }
# "1" where the builder has a node of that platform, on which Rust and Go compile as well
variable "PLATFORM_NATIVE" { default = "" }
# the root image with its digest, for the provenance: "debian:trixie-slim@sha256:…"
variable "ROOT" { default = "" }
variable "VERSION" { default = "0.0.0" }
variable "REVISION" { default = "unknown" }
variable "CREATED" { default = "1970-01-01T00:00:00Z" }
# owner of these images: `make clean` removes only its own
variable "SUTRA_PROJECT" { default = "sutra" }

# the root image of what compiles
variable "COMPILER_ROOT" { default = PLATFORM_NATIVE != "" && PLATFORM_ROOT != "" ? PLATFORM_ROOT : ROOT }

# every service: its image's name, its language, its folder in packages/
variable "SERVICES" {
  default = [
    { name = "sutra-api", language = "python", folder = "sutra-api" },
    { name = "sutra-hybrid", language = "python", folder = "sutra-hybrid" },
    { name = "sutra-storage-server", language = "rust", folder = "sutra-storage" },
  ]
}

# bases of Go and of Node.js are built only where a service is written in that language
variable "LANGUAGES" { default = [for s in SERVICES : s.language] }

# Production images are packed at gzip's highest level: there Go's packer (Docker 26) and that of
# newer BuildKits come within 0.1 % of each other, at the default within 2.4 %.
variable "PACKED" { default = "type=docker,compression-level=9" }

group "default" { targets = ["prod"] }
group "bases" { targets = ["sutra-base-python", "sutra-base-rust-runtime"] }
# in every group that uses them: buildx before 0.17 unpacks a target that is only
# built upon into the engine, whatever its output says (buildx#2580)
group "builders" {
  targets = concat(
    ["python-builder", "python-runtime", "rust-builder", "rust-runtime"],
    contains(LANGUAGES, "go") ? ["go-builder"] : [],
    contains(LANGUAGES, "node") ? ["node-builder", "node-runtime"] : []
  )
}
group "prod" { targets = concat(["builders", "bases"], [for s in SERVICES : s.name]) }
group "dev-bases" {
  targets = concat(
    ["sutra-base-python-dev", "sutra-base-rust-dev"],
    contains(LANGUAGES, "go") ? ["sutra-base-go-dev"] : [],
    contains(LANGUAGES, "node") ? ["sutra-base-node-dev"] : []
  )
}
group "dev" { targets = concat(["builders", "dev-bases"], [for s in SERVICES : "${s.name}-dev"]) }
# the packages' own tests, on the cleaned tree; nothing is exported
group "test" { targets = concat(["builders"], [for s in SERVICES : "${s.name}-test"]) }

function "labels_of" {
  params = [root]
  result = root == "" ? { "org.sutra.project" = SUTRA_PROJECT } : {
    "org.sutra.project" = SUTRA_PROJECT
    "org.sutra.root"    = root
  }
}

target "_common" {
  args = {
    VERSION  = VERSION
    REVISION = REVISION
    CREATED  = CREATED
  }
  labels    = labels_of(PLATFORM_ROOT == "" ? ROOT : PLATFORM_ROOT)
  secret    = CA_BUNDLE == "" ? [] : ["type=file,id=ca,src=${CA_BUNDLE}"]
  platforms = PLATFORM == "" ? [] : [PLATFORM]
}

# ---- base images -----------------------------------------------------------

variable "ROOT_NAME" {
  default = BASE == "alpine" ? "alpine:${ALPINE_VERSION}" : "debian:${DEBIAN_VERSION}"
}

# What other targets are built on has no tag of its own: buildx before 0.17 exports such
# targets too, and building one image would move another image's tag.
target "_base" {
  inherits = ["_common"]
  context  = "base-images"
  contexts = merge(
    ROOT_CONTEXT == "" ? {} : { (ROOT_NAME) = ROOT_CONTEXT },
    PLATFORM_ROOT_CONTEXT == "" ? {} : { "${ROOT_NAME}::${PLATFORM}" = PLATFORM_ROOT_CONTEXT }
  )
  args = {
    BASE           = BASE
    DEBIAN_VERSION = DEBIAN_VERSION
    ALPINE_VERSION = ALPINE_VERSION
    APT_MIRROR     = APT_MIRROR
    ALPINE_MIRROR  = ALPINE_MIRROR
  }
  output = ["type=cacheonly"]
}

# What builds for another platform runs on the builder's own: no emulator runs compilers, apt or the
# cleanup, only a service's own Python. A farm with a node of that platform builds there: buildx
# links no targets of different nodes.
target "python-builder" {
  inherits   = ["_base"]
  dockerfile = "python-dev.Dockerfile"
  args       = PLATFORM == "" || PLATFORM_NATIVE != "" ? {} : { CROSS = split("/", PLATFORM)[1] }
  labels     = labels_of(COMPILER_ROOT)
  platforms  = PLATFORM_NATIVE == "" ? [] : [PLATFORM]
}

target "python-runtime" {
  inherits   = ["_base"]
  dockerfile = "python-prod.Dockerfile"
  labels     = labels_of(COMPILER_ROOT)
}

target "rust-builder" {
  inherits   = ["_base"]
  dockerfile = "rust-dev.Dockerfile"
  args       = PLATFORM == "" || PLATFORM_NATIVE != "" ? {} : { CROSS = split("/", PLATFORM)[1] }
  labels     = labels_of(COMPILER_ROOT)
  platforms  = PLATFORM_NATIVE == "" ? [] : [PLATFORM]
}

target "rust-runtime" {
  inherits   = ["_base"]
  dockerfile = "rust-runtime-prod.Dockerfile"
  labels     = labels_of(COMPILER_ROOT)
}

target "go-builder" {
  inherits   = ["_base"]
  dockerfile = "go-dev.Dockerfile"
  labels     = labels_of(COMPILER_ROOT)
  platforms  = PLATFORM_NATIVE == "" ? [] : [PLATFORM]
}

target "node-builder" {
  inherits   = ["_base"]
  dockerfile = "node-dev.Dockerfile"
}

target "node-runtime" {
  inherits   = ["_base"]
  dockerfile = "node-prod.Dockerfile"
}

target "sutra-base-python" {
  inherits = ["python-runtime"]
  tags     = ["sutra-base-python:prod"]
  output   = [PACKED]
}

target "sutra-base-rust-runtime" {
  inherits = ["rust-runtime"]
  tags     = ["sutra-base-rust-runtime:prod"]
  output   = [PACKED]
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

target "sutra-base-go-dev" {
  inherits = ["go-builder"]
  tags     = ["sutra-base-go:latest", "sutra-base-go:dev"]
  output   = ["type=docker"]
}

target "sutra-base-node-dev" {
  inherits = ["node-builder"]
  tags     = ["sutra-base-node:latest", "sutra-base-node:dev"]
  output   = ["type=docker"]
}

# ---- services: three targets for each of SERVICES ----------------------------

# BuildKit names the context of an image with tag "latest" without that tag.
target "_python-package" {
  inherits = ["_common"]
  labels   = labels_of(COMPILER_ROOT)
  contexts = { "sutra-base-python" = "target:python-builder" }
  args     = { PIP_INDEX_URL = PIP_INDEX_URL, APT_MIRROR = APT_MIRROR, BASE = BASE }
}

target "_python-service" {
  inherits = ["_python-package"]
  contexts = { "sutra-base-python:prod" = "target:python-runtime" }
}

target "_rust-package" {
  inherits = ["_common"]
  labels   = labels_of(COMPILER_ROOT)
  contexts = { "sutra-base-rust" = "target:rust-builder" }
  args     = { CARGO_REGISTRY = CARGO_REGISTRY, SUTRA_PROJECT = SUTRA_PROJECT }
}

target "_rust-service" {
  inherits = ["_rust-package"]
  contexts = { "sutra-base-rust-runtime:prod" = "target:rust-runtime" }
}

target "_go-package" {
  inherits = ["_common"]
  labels   = labels_of(COMPILER_ROOT)
  contexts = { "sutra-base-go" = "target:go-builder" }
  args     = { GOPROXY = GOPROXY }
}

# a static program: the accounts of Rust's runtime serve it as well
target "_go-service" {
  inherits = ["_go-package"]
  contexts = { "sutra-base-rust-runtime:prod" = "target:rust-runtime" }
}

target "_node-package" {
  inherits = ["_common"]
  contexts = { "sutra-base-node" = "target:node-builder" }
  args     = { NPM_REGISTRY = NPM_REGISTRY }
}

target "_node-service" {
  inherits = ["_node-package"]
  contexts = { "sutra-base-node:prod" = "target:node-runtime" }
}

target "_prod" {
  matrix     = { service = SERVICES }
  name       = service.name
  inherits   = ["_${service.language}-service"]
  dockerfile = "packages/${service.folder}/Dockerfile.prod"
  tags       = ["${service.name}:prod"]
  output     = [PACKED]
}

target "_dev" {
  matrix     = { service = SERVICES }
  name       = "${service.name}-dev"
  inherits   = ["_${service.language}-package"]
  dockerfile = "packages/${service.folder}/Dockerfile"
  tags       = ["${service.name}:dev"]
  output     = ["type=docker"]
}

target "_test" {
  matrix     = { service = SERVICES }
  name       = "${service.name}-test"
  inherits   = ["_${service.language}-service"]
  dockerfile = "packages/${service.folder}/Dockerfile.prod"
  target     = "test"
  output     = ["type=cacheonly"]
}

# ---- built only when asked for: in no release, and each with what checks it ---

# `make affected` names them by this group
group "on-request" { targets = ["sutra-storage-postgres", "sutra-sbom-generator", "sutra-images"] }

# the storage with a database behind it: docs/scaling.md
target "sutra-storage-postgres" {
  inherits   = ["_rust-service"]
  dockerfile = "packages/sutra-storage/Dockerfile.prod"
  args       = { FEATURES = "postgres" }
  tags       = ["sutra-storage-postgres:prod"]
  output     = [PACKED]
}

# what BuildKit runs for `make attest`: it lists what is in an image
target "sutra-sbom-generator" {
  inherits   = ["_python-package"]
  dockerfile = "scripts/sbom/generator.Dockerfile"
  tags       = ["sutra-sbom-generator:latest"]
  output     = ["type=docker"]
}

# the checker of packages/sutra-images, for those without Python: docs/adopt.md
target "sutra-images" {
  inherits   = ["_python-service"]
  dockerfile = "packages/sutra-images/image.Dockerfile"
  tags       = ["sutra-images:prod"]
  output     = [PACKED]
}
