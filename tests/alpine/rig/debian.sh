#!/bin/sh
# Makes package folders of Debian's own tools. They keep their places, their C library and
# its loader, none of which Alpine has files at. For builders alone: what they make for an
# image is for musl, and nothing of theirs goes along.
#
#   eg: debian.sh /packages /std
set -eu
out=$1
std=$2

# every library that the tools need, by Debian's own records
libraries() { # libraries PACKAGE…
  apt-cache depends --recurse --installed --no-recommends --no-suggests --no-conflicts \
    --no-breaks --no-replaces --no-enhances "$@" |
    sed -n 's/^\(lib[^ :]*\|zlib1g\|gcc-14-base\).*/\1/p' | sort -u |
    grep -vE '^lib(apt|llvm|pam|std-rust)|-dev$|san[0-9]|^lib(cc1|gomp|itm|quadmath)'
}

copy() { # copy FOLDER PACKAGE…: their files, without documentation
  folder=$1
  shift
  mkdir -p "$folder"
  dpkg -L "$@" | grep -v '^/usr/share/\(doc\|man\|locale\|info\|lintian\|bug\|gdb\)' | sort -u |
    while read -r path; do if [ -L "$path" ] || [ -f "$path" ]; then echo "$path"; fi; done |
    tar -cf - --no-recursion -T - 2>/dev/null | tar -xf - -C "$folder"
}

package() { # package NAME DEPENDS DEBIAN-PACKAGE…: the first says the version
  name=$1
  depends=$2
  shift 2
  mkdir -p "$out/$name"
  # shellcheck disable=SC2016 # dpkg-query expands it
  version=$(dpkg-query -W -f '${source:Upstream-Version}' "$1" | sed 's/[^0-9.].*//')
  printf '%s\n' "name:$name" "version:$version-r0" "description:Debian's $1 (stand-in)" \
    "license:see Debian's copyright file" "url:https://www.debian.org/" arch:x86_64 \
    ${depends:+"depends:$depends"} >"$out/$name/info"
  copy "$out/$name/files" "$@"
}

# shellcheck disable=SC2046 # names of packages
package debian-libraries "" libc6 $(libraries binutils make pkgconf cargo rustc cargo-auditable \
  rust-clippy rustfmt gcc-14-x86-64-linux-gnu)
# Debian's /lib is a link to /usr/lib
ln -s usr/lib64 "$out/debian-libraries/files/lib64"
mkdir "$out/debian-libraries/files/lib"
ln -s ../usr/lib/x86_64-linux-gnu "$out/debian-libraries/files/lib/x86_64-linux-gnu"
package binutils debian-libraries binutils binutils-common binutils-x86-64-linux-gnu
package make debian-libraries make
package pkgconf debian-libraries pkgconf pkgconf-bin
package cargo "rust debian-libraries" cargo
package cargo-auditable debian-libraries cargo-auditable
package rust-clippy debian-libraries rust-clippy
package rustfmt debian-libraries rustfmt
# rustc links procedural macros for itself, with Debian's compiler and C library
package rust "binutils debian-libraries" rustc libstd-rust-1.85 libstd-rust-dev libllvm19 \
  gcc-14-x86-64-linux-gnu cpp-14-x86-64-linux-gnu libgcc-14-dev libc6-dev
files=$out/rust/files
lib=$files/usr/lib/rustlib/x86_64-unknown-linux-musl/lib
mkdir -p "$lib"
cp -r "$std/." "$lib/"
mkdir -p "$files/usr/libexec" "$files/.cargo"
mv "$files/usr/bin/rustc" "$files/usr/libexec/rustc"
cat >"$files/usr/bin/rustc" <<'EOF'
#!/bin/sh
# Alpine's rustc runs on musl and names it; this one runs on glibc
case "$*" in "--print host-tuple") echo x86_64-unknown-linux-musl ;; *) exec /usr/libexec/rustc "$@" ;; esac
EOF
chmod 755 "$files/usr/bin/rustc"
cat >"$files/.cargo/config.toml" <<'EOF'
[build]
target = "x86_64-unknown-linux-musl"
[target.x86_64-unknown-linux-gnu]
linker = "x86_64-linux-gnu-gcc-14"
[target.x86_64-unknown-linux-musl]
linker = "x86_64-linux-gnu-gcc-14"
EOF
