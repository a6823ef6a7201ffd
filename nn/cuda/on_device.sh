#!/usr/bin/env bash
# Everything that has to be seen on a real GPU, in some ten minutes: the parity
# suite on the device, ms per step with 1, 2, 4 and 8 folds at once, and one fold
# of the default job in full, by which the whole job's time is told.
#
#   eval "$(.ci/peers cuda)"
#   nn/cuda/on_device.sh                    on the machine with the GPU
#
#   nn/cuda/on_device.sh build cuda.test    where there is Go: makes one program,
#   nn/cuda/on_device.sh run cuda.test      which runs where there is only a driver
#
# POLYID_PYTHON, a python with PolyID and a TensorFlow that has found the GPU, has
# it measure PolyID's step on the same GPU as well.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

build() { "$here/build.sh" go test -C "$here" -tags gpu -c -o "$1" .; }

run() {
  nvidia-smi --query-gpu=name,driver_version,compute_cap,memory.total,ecc.mode.current --format=csv
  cd "$here"
  printf '\n== the same results as on the CPU\n'
  "$1" -test.run 'OnDevice|Embedded' -test.v -test.timeout 20m
  printf '\n== ms per step\n'
  "$1" -test.run '^$' -test.bench StepOnDevice -test.benchtime 2000x
  printf '\n== a fold in full\n'
  LONG=1 "$1" -test.run LongFoldOnDevice -test.v -test.timeout 60m
  if [[ -n ${POLYID_PYTHON:-} ]]; then
    printf '\n== PolyID\n'
    "$POLYID_PYTHON" ../testdata/bench_polyid.py --alone
  fi
}

case ${1:-} in
build) build "$(realpath -m "${2:?build FILE}")" ;;
run) run "$(realpath "${2:?run FILE}")" ;;
'')
  made=$(mktemp -d)
  build "$made/cuda.test"
  run "$made/cuda.test"
  rm -r "$made"
  ;;
*)
  sed -n '2,14s/^# \{0,1\}//p' "$0" >&2
  exit 2
  ;;
esac
