"""Writes the files that hdf5_test.go reads, with h5py 3.16.0: python gen.py"""

import gzip
import os

import h5py
import numpy as np


def ramp(*shape):
    return (np.arange(np.prod(shape)) / 8 - 3).astype("<f4").reshape(shape)


with h5py.File("good.h5", "w") as f:
    f.attrs["model_config"] = "ä" * 3000  # variable length, in a global heap
    f.attrs["fixed"] = np.array([b"one", b"three", b""], "S5")
    f.attrs["names"] = np.array(["a/b", "ç", ""], dtype=h5py.string_dtype())
    f.attrs["number"] = 3
    f["scalar"] = np.float32(1.5)
    f["empty"] = np.zeros((0, 4), "f4")
    f["deep/er/kernel:0"] = ramp(3, 4)
    g = f.create_group("many")  # more members than one B-tree node holds
    for i in range(700):
        g.create_group(f"member_{i:03d}").attrs["i"] = np.array([str(i).encode()], "S8")
    props = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    props.set_layout(h5py.h5d.COMPACT)
    d = h5py.h5d.create(f.id, b"compact", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((5,)), props)
    d.write(h5py.h5s.ALL, h5py.h5s.ALL, ramp(5))

with h5py.File("refused.h5", "w") as f:
    f["float64"] = np.zeros(3)
    f["bigendian"] = np.zeros(3, ">f4")
    f["integer"] = np.zeros(3, "i4")
    f["half"] = np.zeros(3, "f2")
    f.create_dataset("chunked", data=ramp(8), chunks=(4,))
    f.create_dataset("compressed", data=ramp(8), compression="gzip")
    f.create_dataset("unwritten", (8,), "f4")

with h5py.File("latest.h5", "w", libver="latest") as f:
    f["a"] = ramp(3)

with open("good.h5", "rb") as f, gzip.GzipFile("good.h5.gz", "wb", 9, mtime=0) as z:
    z.write(f.read())
os.remove("good.h5")
