#!/bin/sh
# Builds the locked scikit-learn from its source, on the locked numpy and scipy: there is
# no wheel of it for musl, of any version.
#
#   eg: build-scikit-learn.sh /opt/build requirements.lock requirements-build.lock /wheels
set -eu
build=$1
lock=$2
build_lock=$3
wheels=$4

of() { # of NAME|NAME…: their lines of the lock
  awk -v names="^($1)==" '/^[a-z]/ { on = $0 ~ names } on' "$lock"
}

install() { # install LOCK
  python3 -m pip --python "$build" install --only-binary=:all: --require-hashes -r "$1"
}

# no random name: a compiler may record its folder in what it makes
work=/tmp/build-scikit-learn
mkdir "$work"
install "$build_lock"
of 'numpy|scipy' >"$work/beneath.lock"
install "$work/beneath.lock"
of 'scikit-learn' >"$work/scikit-learn.lock"

# a wheel that an earlier build made by these very settings, tools and compiler is taken
# from pip's cache
compiler=$(gcc --version)
made_by=$({ cat "$0" "$build_lock" "$work/beneath.lock" && echo "$compiler"; } | sha256sum | cut -c1-16)
cache=/root/.cache/pip/scikit-learn-$made_by
system=$(command -v python3)
PATH="$build/bin:$PATH" CC=gcc CXX=g++ \
  "$system" -m pip --python "$build" --cache-dir "$cache" wheel --no-deps \
  --no-build-isolation --no-binary=scikit-learn --require-hashes \
  -r "$work/scikit-learn.lock" -w "$wheels"
