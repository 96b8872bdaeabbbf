#!/bin/sh
# Builds the objects of the BPF programs: build.sh [FOLDER]. They are committed, so that a build of
# tcplapse needs no clang; .ci/run builds them again and compares.
set -eu
here=$(dirname "$0")
to=${1:-$here}
clang=${CLANG:-clang-14}
strip=${LLVM_STRIP:-llvm-strip-14}
for source in "$here"/*.bpf.c; do
    object=$to/$(basename "$source" .c).o
    # Without -fdebug-compilation-dir the object would contain the path where it was built.
    (cd "$here" && "$clang" -target bpf -mcpu=v3 -O2 -g -Wall -Werror -Wno-unknown-attributes \
        -fdebug-compilation-dir=. -c "$(basename "$source")" -o -) > "$object"
    "$strip" -g "$object"
done
