#!/usr/bin/env bash
# Runs a go command with what the tag gpu needs to compile and link, on a
# machine that has neither a GPU nor a CUDA toolkit:
#
#   eval "$(.ci/peers cuda)"
#   nn/cuda/build.sh go build -tags gpu -o worker/worker ./worker
#
# The header is that of the wheel nvidia-cuda-runtime-cu12 beside CUDA_PYTHON,
# or of CUDA_HOME. What is linked is a libcuda made from the header, whose every
# function says that there is no device: at run time the driver's takes its
# place, because both are libcuda.so.1.
set -euo pipefail

if [[ -n ${CUDA_PYTHON:-} ]]; then
  include=$("$CUDA_PYTHON" -c 'import nvidia.cuda_runtime as r; print(list(r.__path__)[0])')/include
elif [[ -n ${CUDA_HOME:-} ]]; then
  include=$CUDA_HOME/include
else
  echo 'set CUDA_PYTHON, by eval "$(.ci/peers cuda)", or CUDA_HOME' >&2
  exit 2
fi

stub=${XDG_CACHE_HOME:-$HOME/.cache}/polyid-trainer/libcuda
if [[ ! -e $stub/libcuda.so || $stub/libcuda.so -ot $include/cuda.h ]]; then
  mkdir -p "$stub"
  # The preprocessor gives functions the names they are linked by (cuMemAlloc_v2).
  "${CC:-cc}" -E -P "$include/cuda.h" |
    tr '\n' ' ' | grep -oE '\bcu[A-Z][A-Za-z0-9_]*\(' | tr -d '(' | sort -u |
    sed 's/.*/int &(void) { return 100; }/' >"$stub/libcuda.c" # CUDA_ERROR_NO_DEVICE
  "${CC:-cc}" -shared -fPIC -w -Wl,-soname,libcuda.so.1 -o "$stub/libcuda.so.1" "$stub/libcuda.c"
  ln -sf libcuda.so.1 "$stub/libcuda.so"
fi

export CGO_ENABLED=1
export CGO_CFLAGS="${CGO_CFLAGS:--O2 -g} -I$include"
export CGO_LDFLAGS="${CGO_LDFLAGS:-} -L$stub -Wl,--allow-shlib-undefined"
exec "$@"
