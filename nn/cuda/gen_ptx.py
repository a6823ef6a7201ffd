#!/usr/bin/env python3
"""Compiles the kernels to PTX with NVRTC and assembles the PTX as a check.

    eval "$(.ci/peers cuda)"
    $CUDA_PYTHON nn/cuda/gen_ptx.py          writes nn/cuda/ptx/sm_*.ptx
    $CUDA_PYTHON nn/cuda/gen_ptx.py DIR      writes them to DIR instead

Neither needs a GPU or an installed toolkit: NVRTC, ptxas and the headers are
those of the wheels nvidia-cuda-nvrtc-cu12, nvidia-cuda-nvcc-cu12 and
nvidia-cuda-runtime-cu12 of release 12.9, beside the python that runs this.
"""
import ctypes
import pathlib
import re
import subprocess
import sys
import tempfile

# The oldest PTX that has each architecture and what the kernels use. NVRTC
# writes its own release's, which drivers older than itself refuse to compile;
# ptxas holds the text to the version it says it is.
VERSIONS = {"70": "6.3", "80": "7.0", "86": "7.1", "90": "7.8"}

HERE = pathlib.Path(__file__).resolve().parent


def toolkit():
    import nvidia.cuda_nvcc
    import nvidia.cuda_nvrtc

    def root(package):
        return pathlib.Path(list(package.__path__)[0])

    return root(nvidia.cuda_nvrtc) / "lib" / "libnvrtc.so.12", root(nvidia.cuda_nvcc) / "bin" / "ptxas"


class Nvrtc:
    def __init__(self, path):
        self.lib = ctypes.CDLL(str(path))
        self.lib.nvrtcGetErrorString.restype = ctypes.c_char_p

    def check(self, code):
        if code:
            raise SystemExit("nvrtc: " + self.lib.nvrtcGetErrorString(code).decode())

    def text(self, size, get, program):
        n = ctypes.c_size_t()
        self.check(size(program, ctypes.byref(n)))
        buffer = ctypes.create_string_buffer(n.value)
        self.check(get(program, buffer))
        return buffer.value.decode()

    def compile(self, name, source, options):
        program = ctypes.c_void_p()
        self.check(self.lib.nvrtcCreateProgram(ctypes.byref(program), source.encode(), name.encode(), 0, None, None))
        argv = (ctypes.c_char_p * len(options))(*[o.encode() for o in options])
        code = self.lib.nvrtcCompileProgram(program, len(options), argv)
        log = self.text(self.lib.nvrtcGetProgramLogSize, self.lib.nvrtcGetProgramLog, program)
        if log.strip():
            print(log, file=sys.stderr)
        self.check(code)
        return self.text(self.lib.nvrtcGetPTXSize, self.lib.nvrtcGetPTX, program)


def assemble(ptxas, ptx, arch):
    """Assembles ptx and reports what a block needs of a multiprocessor."""
    with tempfile.TemporaryDirectory() as tmp:
        path = pathlib.Path(tmp, "step.ptx")
        path.write_text(ptx)
        run = subprocess.run([ptxas, f"-arch=sm_{arch}", "-v", path, "-o", pathlib.Path(tmp, "step.cubin")],
                             capture_output=True, text=True)
    if run.returncode:
        raise SystemExit(f"ptxas sm_{arch}: {run.stderr}")
    usage = re.search(r"Used .*", run.stderr)
    spill = re.search(r"\d+ bytes stack frame.*", run.stderr)
    return f"{usage[0]}; {spill[0]}"


def main():
    out = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "ptx"
    out.mkdir(exist_ok=True)
    library, ptxas = toolkit()
    nvrtc = Nvrtc(library)
    source = (HERE / "kernels" / "step.cu").read_text()
    for arch, version in VERSIONS.items():
        ptx = nvrtc.compile("step.cu", source, [
            f"--gpu-architecture=compute_{arch}",
            f"--include-path={HERE / 'kernels'}",
            "--std=c++17",
        ])
        ptx = re.sub(r"(?m)^\.version .*$", f".version {version}", ptx)
        ptx = re.sub(r'(?m)^\s*\.pragma "used_bytes_mask .*\n', "", ptx)  # a hint of 8.3
        print(f"sm_{arch}: {assemble(ptxas, ptx, arch)}")
        (out / f"sm_{arch}.ptx").write_text(ptx)


main()
