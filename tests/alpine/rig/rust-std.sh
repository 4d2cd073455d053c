#!/bin/sh
# Builds Rust's standard library for musl from Debian's rust-src, with musl of Debian's
# musl-dev and LLVM's libunwind as zig carries it: Debian's packages have it for glibc only.
#
#   eg: rust-std.sh /fixtures /std
set -eu
fixtures=$1
out=$2
target=x86_64-unknown-linux-musl
work=$(mktemp -d)
mkdir -p "$out/self-contained"

unzip -qd "$work" "$fixtures"/ziglang-*.whl 'ziglang/*'
zig=$work/ziglang/zig
chmod 755 "$zig"
export ZIG_GLOBAL_CACHE_DIR="$work/zig"
cd "$work/ziglang/lib/libunwind/src"
for source in libunwind.cpp UnwindLevel1.c UnwindLevel1-gcc-ext.c UnwindRegistersSave.S \
  UnwindRegistersRestore.S; do
  case $source in
    *.cpp) compiler="c++ -std=c++17 -fno-exceptions -fno-rtti" ;;
    *.c) compiler="cc -std=c11" ;;
    *) compiler=cc ;;
  esac
  # shellcheck disable=SC2086 # words
  "$zig" $compiler -target x86_64-linux-musl -O2 -fPIC -funwind-tables -fno-sanitize=undefined \
    -DNDEBUG -D_LIBUNWIND_IS_NATIVE_ONLY -D_LIBUNWIND_HIDE_SYMBOLS -I../include \
    -c "$source" -o "$work/$source.o"
done
ar rcs "$out/self-contained/libunwind.a" "$work"/*.o

# start and end files of a static program
cp /usr/lib/x86_64-linux-musl/*.o /usr/lib/x86_64-linux-musl/libc.a "$out/self-contained/"
for part in crtbegin.o crtbeginS.o crtend.o crtendS.o; do
  cp "/usr/lib/gcc/x86_64-linux-gnu/14/$part" "$out/self-contained/"
done

mkdir -p "$work/empty/src"
cd "$work/empty"
printf '[package]\nname = "empty"\nversion = "0.0.0"\nedition = "2021"\n' >Cargo.toml
: >src/lib.rs
# as rustc's own build does: what aborts is compiled to abort, and all of it can be
# optimised together with a program (lto)
cat >rustc <<'EOF'
#!/bin/sh
case " $* " in *" --crate-name panic_abort "*) abort="-C panic=abort" ;; *) abort= ;; esac
compiler=$1
shift
for word; do
  shift
  [ "$word" != embed-bitcode=no ] || word=embed-bitcode=yes
  set -- "$@" "$word"
done
exec "$compiler" "$@" $abort
EOF
chmod 755 rustc
# RUSTC_BOOTSTRAP: what makes a release build a standard library
RUSTC_WRAPPER="$PWD/rustc" RUSTC_BOOTSTRAP=1 cargo build --release --target $target \
  -Zbuild-std=std,panic_abort,panic_unwind,test,proc_macro
cp target/$target/release/deps/*.rlib "$out/"
rm "$out"/libempty-*.rlib
