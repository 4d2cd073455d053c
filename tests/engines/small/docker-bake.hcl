# A small graph with the same parts as the product's: a root image, a real base built on it,
# a service on the base, a secret, a cache mount, a folder made by COPY --chmod.
variable "ROOT_CONTEXT" { default = "" }
variable "CA_BUNDLE" { default = "" }
variable "VERSION" { default = "0.0.0" }
variable "REVISION" { default = "unknown" }
variable "CREATED" { default = "1970-01-01T00:00:00Z" }
variable "SUTRA_PROJECT" { default = "sutra" }

group "prod" { targets = ["builder", "sutra-base-rust-runtime", "sutra-test-hello"] }

target "_common" {
  args   = { VERSION = VERSION, REVISION = REVISION, CREATED = CREATED }
  labels = { "org.sutra.project" = SUTRA_PROJECT }
  secret = CA_BUNDLE == "" ? [] : ["type=file,id=ca,src=${CA_BUNDLE}"]
}

target "_root" {
  inherits = ["_common"]
  contexts = ROOT_CONTEXT == "" ? {} : { "debian:trixie-slim" = ROOT_CONTEXT }
  args     = { BASE = "debian", DEBIAN_VERSION = "trixie-slim" }
}

target "sutra-base-rust-runtime" {
  inherits   = ["_root"]
  context    = "/src/base-images"
  dockerfile = "rust-runtime-prod.Dockerfile"
  tags       = ["sutra-base-rust-runtime:prod"]
  output     = ["type=docker"]
}

target "builder" {
  inherits = ["_root"]
  target   = "builder"
  output   = ["type=cacheonly"]
}

target "sutra-test-hello" {
  inherits = ["_root"]
  contexts = {
    "sutra-test-builder"           = "target:builder"
    "sutra-base-rust-runtime:prod" = "target:sutra-base-rust-runtime"
  }
  tags   = ["sutra-test-hello:prod"]
  output = ["type=docker"]
}
