"""The calls of huggingface_hub besides those of stock.py; the first argument is a scratch folder."""

import io
import json
import os
import pathlib
import struct
import sys
import threading

import huggingface_hub as hf
from huggingface_hub import CommitOperationAdd, CommitOperationCopy, CommitOperationDelete
from huggingface_hub.errors import (
    BadRequestError,
    EntryNotFoundError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

print("huggingface_hub", hf.__version__)


def refused(error, call, words=""):
    try:
        call()
    except error as e:
        assert words in str(e), (words, str(e))
        return
    raise AssertionError(f"expected {error.__name__}")


scratch = pathlib.Path(sys.argv[1])
api = hf.HfApi()
repo = "acme/calls"
api.create_repo(repo)

header = json.dumps({"__metadata__": {"format": "pt"}, "w": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}).encode()
safetensors = struct.pack("<Q", len(header)) + header + bytes(24)
large = os.urandom(3_000_000)
card = b"""---
license: mit
library_name: polyid
pipeline_tag: tabular-regression
tags: [polymers, chemistry]
datasets:
- acme/tg
---
# Tg
"""

# Folders are listed, twice the same (H1).
first = api.create_commit(repo, commit_message="one", operations=[
    CommitOperationAdd("README.md", card),
    CommitOperationAdd("folds/0/model.safetensors", safetensors),
    CommitOperationAdd("folds/1/large.bin", large),
    CommitOperationAdd("folds/1/note.txt", b"note"),
]).oid
fs = hf.HfFileSystem()
for again in range(2):
    if again:
        fs = hf.HfFileSystem(skip_instance_cache=True)
    for _ in range(2):
        assert sorted(fs.glob(f"{repo}/**/*.txt")) == [f"{repo}/folds/1/note.txt"]
        assert len(fs.find(repo)) == 5, fs.find(repo)
        assert fs.isdir(f"{repo}/folds/1") and not fs.isdir(f"{repo}/README.md")
        assert [sorted(dirs) for _, dirs, _ in fs.walk(repo)][:2] == [["folds"], ["0", "1"]]
        assert sorted(f["name"] for f in fs.ls(f"{repo}/folds/1")) == [f"{repo}/folds/1/large.bin", f"{repo}/folds/1/note.txt"]
assert fs.read_text(f"{repo}/folds/1/note.txt") == "note"
with fs.open(f"{repo}/folds/1/large.bin") as f:
    f.seek(2_000_000)
    assert f.read(10) == large[2_000_000:2_000_010]
folders = [e for e in api.list_repo_tree(repo, recursive=True) if isinstance(e, hf.hf_api.RepoFolder)]
assert {f.path for f in folders} == {"folds", "folds/0", "folds/1"} and all(int(f.tree_id, 16) for f in folders)

# Copies of large files, also as a rename and of another revision (H2).
second = api.create_commit(repo, commit_message="two", operations=[
    CommitOperationCopy("folds/1/large.bin", "copy/large.bin"),
    CommitOperationCopy("folds/1/note.txt", "copy/note.txt"),
    CommitOperationCopy("folds/0/model.safetensors", "renamed.safetensors"),
    CommitOperationDelete("folds/0/model.safetensors"),
]).oid
api.create_commit(repo, commit_message="three", operations=[
    CommitOperationCopy("folds/0/model.safetensors", "back.safetensors", src_revision=first),
])
for path, want in {"copy/large.bin": large, "copy/note.txt": b"note", "renamed.safetensors": safetensors, "back.safetensors": safetensors}.items():
    assert pathlib.Path(hf.hf_hub_download(repo, path)).read_bytes() == want, path
assert not api.file_exists(repo, "folds/0/model.safetensors")

# .gitignore of the folder and of the branch (H3).
folder = scratch / "ignoring"
(folder / "build").mkdir(parents=True)
for name, text in {".gitignore": "*.log\nbuild/\n!keep.log\n", "a.log": "x", "keep.log": "x", "b.txt": "x", "build/x": "x"}.items():
    (folder / name).write_text(text)
api.upload_folder(repo_id=repo, folder_path=folder, path_in_repo=".")
files = set(api.list_repo_files(repo))
assert {".gitignore", "keep.log", "b.txt"} <= files and not {"a.log", "build/x"} & files, files
api.upload_file(repo_id=repo, path_or_fileobj=b"y", path_in_repo="late.log")
assert "late.log" not in api.list_repo_files(repo)

# Short hashes and odd names (H5).
assert api.model_info(repo, revision=first[:8]).sha == first
assert api.model_info(repo, revision="HEAD").sha == api.model_info(repo).sha
odd = {'what?.txt': b"1", 'name:b"c.txt': b"2", "<d>|e*.txt": b"3", "f[1] #%ü.txt": b"4", "g\\h.txt": b"5", 'big"? *.bin': large}
api.create_commit(repo, commit_message="odd", operations=[CommitOperationAdd(k, v) for k, v in odd.items()])
for path, want in odd.items():
    assert pathlib.Path(hf.hf_hub_download(repo, path)).read_bytes() == want, path
for bad, words in {"a/git~1/x": "git~1", ".g\u200cit/x": "git", "a\x01b": "x01"}.items():
    refused((BadRequestError, HfHubHTTPError, ValueError), lambda: api.upload_file(repo_id=repo, path_or_fileobj=b"x", path_in_repo=bad), words)

# What a card says (H7).
info = api.model_info(repo)
assert info.library_name == "polyid" and info.pipeline_tag == "tabular-regression", info
assert {"polymers", "chemistry", "license:mit", "dataset:acme/tg"} <= set(info.tags), info.tags
assert info.card_data.license == "mit" and info.card_data.tags == ["polymers", "chemistry"], info.card_data

# More of listings.
tree = {e.path: e for e in api.list_repo_tree(repo, recursive=True, expand=True)}
assert tree["README.md"].last_commit.oid == first and tree["copy/large.bin"].last_commit.oid == second, tree
assert tree["copy"].last_commit.title == "two"
expanded = api.get_paths_info(repo, ["README.md", "copy"], expand=True)
assert [e.last_commit.title for e in expanded] == ["one", "two"]
assert api.get_paths_info(repo, ["nope"]) == []
metadata = api.parse_safetensors_file_metadata(repo, "renamed.safetensors")
assert metadata.parameter_count == {"F32": 6}, metadata
api.upload_file(repo_id=repo, path_or_fileobj=safetensors, path_in_repo="model.safetensors")
assert api.get_safetensors_metadata(repo).sharded is False
assert [f.size for f in api.list_lfs_files(repo)].count(len(large)) == 1

# Patterns, resumed and concurrent downloads.
got = pathlib.Path(hf.snapshot_download(repo, allow_patterns=["*.md", "copy/*"], ignore_patterns="*.bin", cache_dir=scratch / "patterns"))
assert sorted(str(p.relative_to(got)) for p in got.rglob("*") if p.is_file()) == ["README.md", "copy/note.txt"]
results = []
threads = [threading.Thread(target=lambda: results.append(hf.hf_hub_download(repo, "folds/1/large.bin", cache_dir=scratch / "shared"))) for _ in range(8)]
[t.start() for t in threads], [t.join() for t in threads]
assert len(results) == 8 and pathlib.Path(results[0]).read_bytes() == large
assert hf.try_to_load_from_cache(repo, "README.md", cache_dir=scratch / "patterns")
local = scratch / "local"
hf.hf_hub_download(repo, "folds/1/large.bin", local_dir=local)
hf.hf_hub_download(repo, "folds/1/large.bin", local_dir=local, force_download=True)
assert (local / "folds/1/large.bin").read_bytes() == large

# A large folder.
big = scratch / "big"
big.mkdir()
for i in range(30):
    (big / f"{i}.bin").write_bytes(os.urandom(1000 + i))
if hasattr(api, "upload_large_folder"):
    api.upload_large_folder(repo_id=repo, folder_path=big, repo_type="model", print_report=False)
    assert "29.bin" in api.list_repo_files(repo)

# Branches, squash, duplicate.
api.create_branch(repo, branch="old", revision=first)
assert api.model_info(repo, revision="old").sha == first
api.super_squash_history(repo)
commits = api.list_repo_commits(repo)
assert len(commits) == 1 and "README.md" in api.list_repo_files(repo), commits
assert len(api.list_repo_commits(repo, revision="old")) == 2
if hasattr(api, "duplicate_repo"):
    api.duplicate_repo(repo, "acme/twin")
    assert set(api.list_repo_files("acme/twin")) == set(api.list_repo_files(repo))
    assert pathlib.Path(hf.hf_hub_download("acme/twin", "folds/1/large.bin", cache_dir=scratch / "twin")).read_bytes() == large
    assert {b.name for b in api.list_repo_refs("acme/twin").branches} == {"main", "old"}
    refused(HfHubHTTPError, lambda: api.duplicate_repo(repo, "acme/twin"))
    api.duplicate_repo(repo, "acme/twin", exist_ok=True)

# What is not there, by the client's own exceptions or with a sentence (H6).
refused(RepositoryNotFoundError, lambda: api.dataset_info("acme/data"))
refused(RepositoryNotFoundError, lambda: api.space_info("acme/space"))
refused(RepositoryNotFoundError, lambda: hf.hf_hub_download("acme/data", "x", repo_type="dataset"))
refused(BadRequestError, lambda: api.create_repo("acme/data", repo_type="dataset"), "model only")
refused(BadRequestError, lambda: list(api.get_repo_discussions(repo)), "discussions")
refused(BadRequestError, lambda: api.create_pull_request(repo, title="x"), "discussions")
refused(BadRequestError, lambda: api.upload_file(repo_id=repo, path_or_fileobj=b"x", path_in_repo="x", create_pr=True), "pull requests")
refused(BadRequestError, lambda: api.create_branch(repo, branch="v1.0.0"), "tags")
refused(BadRequestError, lambda: api.create_tag(repo, tag="a..b"), "..")
refused(RevisionNotFoundError, lambda: api.list_repo_files(repo, revision="0" * 40))
refused(RevisionNotFoundError, lambda: api.list_repo_commits(repo, revision="nope"))
refused(EntryNotFoundError, lambda: list(api.list_repo_tree(repo, "nope")))
refused(EntryNotFoundError, lambda: api.delete_file("nope", repo))
refused(RepositoryNotFoundError, lambda: api.delete_repo("acme/none"))
api.delete_repo("acme/none", missing_ok=True)
refused((BadRequestError, ValueError), lambda: api.create_repo("acme/a--b"))
assert hf.repo_exists(repo) and not hf.repo_exists(repo, repo_type="dataset")
assert io.BytesIO(hf.get_session().get(f"{api.endpoint}/{repo}/raw/main/README.md").content).read() == card
print("ok")
