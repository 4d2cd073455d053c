#!/bin/sh
# Installs the tools that read and write programs of another architecture, and gives them the plain
# names, so that scripts call `strip` or `gcc` whatever they work for. For the builder's own
# architecture it does nothing.
#
#   eg: cross-tools.sh arm64 binutils     cross-tools.sh arm64 gcc
set -eu
architecture=$1
package=$2
[ "$architecture" != "$(dpkg --print-architecture)" ] || exit 0
case $architecture in
  amd64) triplet=x86_64-linux-gnu ;;
  arm64) triplet=aarch64-linux-gnu ;;
  *)
    echo "sutra: cross-tools.sh: unknown architecture \"$architecture\"" >&2
    echo "tip: amd64 or arm64" >&2
    exit 1
    ;;
esac
bin=${BIN:-/usr/local/bin}
# Debian's names of packages have no underscore
set -- "$package-$(echo "$triplet" | tr _ -)"
[ "$package" != gcc ] || set -- "$@" "libc6-dev-$architecture-cross"
"${0%/*}/apt.sh" install "$@"
for tool in nm objcopy strip; do ln -s "/usr/bin/$triplet-$tool" "$bin/$tool"; done
[ "$package" = gcc ] || exit 0
# libraries of gcc itself, such as libgfortran.a, are where the architecture's own gcc has them
cat >"$bin/gcc" <<END
#!/bin/sh
exec $triplet-gcc -B/usr/lib/gcc/$triplet/$("$triplet-gcc" -dumpversion)/ "\$@"
END
chmod 755 "$bin/gcc"
