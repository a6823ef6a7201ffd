#!/usr/bin/env bash
# Runs a command with what the tag gpu needs to compile and link, on a machine
# that has neither a GPU nor a CUDA toolkit:
#
#   eval "$(.ci/peers cuda)"
#   nn/cuda/build.sh go build -tags gpu -o worker/worker ./worker
#
# The header is that of the wheel nvidia-cuda-runtime-cu12 beside CUDA_PYTHON,
# or of CUDA_HOME. What is linked is a libcuda made from the header, which hands
# every call on to the libcuda.so.1 of the machine that the program runs on. Where
# there is none, or no device, calls say so: the program runs all the same.
#
#   nn/cuda/build.sh --emulated go test -tags gpu ./nn/cuda -run OnDevice
#
# runs the command with a libcuda.so.1 that runs the kernels on the host instead
# (shim/libcuda.cpp): slow, but it takes every path a device does.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

emulated=
if [[ ${1:-} == --emulated ]]; then
  emulated=1
  shift
fi

if [[ -n ${CUDA_PYTHON:-} ]]; then
  include=$("$CUDA_PYTHON" -c 'import nvidia.cuda_runtime as r; print(list(r.__path__)[0])')/include
elif [[ -n ${CUDA_HOME:-} ]]; then
  include=$CUDA_HOME/include
else
  echo 'set CUDA_PYTHON, by eval "$(.ci/peers cuda)", or CUDA_HOME' >&2
  exit 2
fi

# What is made is kept under a hash of what it is made of.
made=${XDG_CACHE_HOME:-$HOME/.cache}/polyid-trainer/libcuda-$(cat "$here"/{build.sh,shim/*,kernels/*} "$include/cuda.h" | sha256sum | cut -c1-16)
mkdir -p "$made"
if [[ ! -e $made/libcuda.a ]]; then
  tmp=$(mktemp -d)
  # The preprocessor gives functions the names they are linked by (cuMemAlloc_v2).
  {
    echo '#define EACH(F) \'
    "${CC:-cc}" -E -P "$include/cuda.h" | tr '\n' ' ' | grep -oE '\bcu[A-Z][A-Za-z0-9_]*\(' | tr -d '(' | sort -u |
      grep -vx cuInit | sed 's/.*/  F(&) \\/'
    echo
    cat "$here/shim/forward.c"
  } >"$tmp/forward.c"
  "${CC:-cc}" -O2 -fPIC -Wall -Werror -c -o "$tmp/forward.o" "$tmp/forward.c"
  ar rc "$tmp/libcuda.a" "$tmp/forward.o"
  mv "$tmp/libcuda.a" "$made/libcuda.a"
  rm -r "$tmp"
fi
if [[ -n $emulated && ! -e $made/libcuda.so.1 ]]; then
  tmp=$(mktemp -d)
  # -Bsymbolic: glibc has a step of its own.
  "${CXX:-g++}" -std=c++17 -O2 -march=native -ffp-contract=fast -U_FORTIFY_SOURCE -Wall -Werror -Wno-unknown-pragmas \
    -fPIC -shared -pthread -Wl,-Bsymbolic -Wl,-soname,libcuda.so.1 \
    -I"$include" -I"$here/shim" -I"$here/kernels" -o "$tmp/libcuda.so.1" "$here/shim/libcuda.cpp"
  mv "$tmp/libcuda.so.1" "$made/libcuda.so.1"
  rm -r "$tmp"
fi

export CGO_ENABLED=1
export CGO_CFLAGS="${CGO_CFLAGS:--O2 -g} -I$include"
export CGO_LDFLAGS="${CGO_LDFLAGS:-} -L$made -ldl"
[[ -z $emulated ]] || export LD_LIBRARY_PATH=$made${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
exec "$@"
