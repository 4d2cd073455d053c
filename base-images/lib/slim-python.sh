#!/bin/sh
# Takes out of an install tree what production does not need, strips its
# libraries, and leaves bytecode in place of sources. Names what it keeps and why;
# a stage that imports everything in the runtime image proves the result.
#
#   eg: slim-python.sh /opt/sutra
set -eu
tree=$1
cd "$tree"

# numpy.testing, which scipy and scikit-learn import, needs this one test module
# (numpy PR#28936)
keep='*/numpy/_core/tests/*'

find . -type d \( -name tests -o -name test \) ! -path "$keep" ! -path '*/numpy/_core/tests' -prune -exec rm -rf {} +
find . -path "$keep" ! -name _natype.py ! -name __init__.py ! -path '*/tests/_natype.py' -type f -delete
find . -type d \( -name __pycache__ -o -name include -o -path '*/sklearn/datasets/data' \
  -o -path '*/sklearn/datasets/images' -o -path '*/sklearn/datasets/descr' \) -prune -exec rm -rf {} +
find . -type f \( -name '*.pyi' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.pxi' -o -name '*.h' -o -name '*.hpp' \
  -o -name '*.c' -o -name '*.cpp' -o -name '*.a' -o -name '*.f90' -o -name '*.build' -o -name py.typed \
  -o -path '*.dist-info/direct_url.json' -o -path '*.dist-info/INSTALLER' -o -path '*.dist-info/REQUESTED' \) -delete
find . -type f \( -name '*.so' -o -name '*.so.*' \) -exec strip --strip-unneeded {} +

python3 -m compileall -q -b --invalidation-mode unchecked-hash "$tree/lib"
find lib -name '*.py' -delete
find . -type d -empty -delete
