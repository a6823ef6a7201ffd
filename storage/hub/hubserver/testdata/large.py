"""Uploads and downloads one large file; the arguments are its name, its size in bytes and a scratch folder."""

import hashlib
import pathlib
import sys

import huggingface_hub as hf

name, size, scratch = sys.argv[1], int(sys.argv[2]), pathlib.Path(sys.argv[3])
path = scratch / name
with open("/dev/urandom", "rb") as source, open(path, "wb") as f:
    for left in range(size, 0, -(1 << 20)):
        f.write(source.read(min(left, 1 << 20)))


def digest(path):
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


repo = "acme/large"
hf.create_repo(repo, exist_ok=True)
hf.upload_file(repo_id=repo, path_or_fileobj=path, path_in_repo=name)
got = hf.hf_hub_download(repo, name, cache_dir=scratch / "cache")
assert digest(got) == digest(path)
print("ok")
