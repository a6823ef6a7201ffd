"""Round trip through a Hub with the stock client; the first argument is a scratch folder."""

import hashlib
import os
import pathlib
import sys

import huggingface_hub as hf
from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

try:
    import hf_xet  # the hard case: a client that would rather speak Xet
    print("hf_xet is installed")
except ImportError:
    print("hf_xet is not installed")
print("huggingface_hub", hf.__version__)


def refused(error, call):
    try:
        call()
    except error:
        return
    raise AssertionError(f"expected {error.__name__}")


scratch = pathlib.Path(sys.argv[1])
folder = scratch / "model"
(folder / "folds").mkdir(parents=True)
files = {
    "README.md": b"---\nlicense: mit\n---\n# Tg\n",
    "config.json": b'{"k": 5}',
    "folds/0.safetensors": os.urandom(12_000_000),
    "folds/1.safetensors": os.urandom(300),
    "table.csv": b"smiles,Tg\n" + b"CC,1\n" * 400_000,
}
for name, content in files.items():
    (folder / name).write_bytes(content)

api = hf.HfApi()
repo = "acme/tg"
assert api.whoami()["name"] == "polyid"
url = api.create_repo(repo, private=True)
assert url.repo_id == repo, url
api.create_repo(repo, exist_ok=True)

first = api.upload_folder(repo_id=repo, folder_path=folder, commit_message="v1").oid
api.create_tag(repo, tag="v1.0.0", tag_message="first stable")
refused(HfHubHTTPError, lambda: api.create_tag(repo, tag="v1.0.0"))
api.create_branch(repo, branch="dev/exp1")
second = api.upload_file(
    repo_id=repo, path_or_fileobj=b"{}", path_in_repo="config.json", parent_commit=first
).oid
refused(
    HfHubHTTPError,
    lambda: api.upload_file(repo_id=repo, path_or_fileobj=b"1", path_in_repo="x", parent_commit=first),
)
api.upload_file(repo_id=repo, path_or_fileobj=b"x", path_in_repo="dev.txt", revision="dev/exp1")

refs = api.list_repo_refs(repo)
assert {b.name: b.target_commit for b in refs.branches}["main"] == second
assert {b.name for b in refs.branches} == {"main", "dev/exp1"}
assert {t.name: t.target_commit for t in refs.tags} == {"v1.0.0": first}

info = api.model_info(repo, files_metadata=True)
assert info.sha == second and info.private
sizes = {s.rfilename: s.size for s in info.siblings}
assert sizes["folds/0.safetensors"] == 12_000_000 and sizes["table.csv"] == len(files["table.csv"]), sizes
assert api.model_info(repo, revision="v1.0.0").sha == first
assert {c.commit_id for c in api.list_repo_commits(repo)} >= {first, second}
assert {e.path for e in api.list_repo_tree(repo)} >= {"folds", "README.md"}
assert [e.size for e in api.get_paths_info(repo, ["config.json"], revision="v1.0.0")] == [8]

snapshot = pathlib.Path(hf.snapshot_download(repo, revision="v1.0.0"))
for name, content in files.items():
    assert (snapshot / name).read_bytes() == content, name
got = hf.hf_hub_download(repo, "config.json")
assert pathlib.Path(got).read_bytes() == b"{}"
got = hf.hf_hub_download(repo, "dev.txt", revision="dev/exp1")
assert pathlib.Path(got).read_bytes() == b"x"

assert hf.file_exists(repo, "folds/0.safetensors", revision="v1.0.0")
assert not hf.file_exists(repo, "folds/9.safetensors")
assert hf.repo_exists(repo) and not hf.repo_exists("acme/none")
assert hf.revision_exists(repo, "dev/exp1") and not hf.revision_exists(repo, "dev/exp2")
meta = hf.get_hf_file_metadata(hf.hf_hub_url(repo, "folds/0.safetensors", revision="v1.0.0"))
assert (meta.commit_hash, meta.size) == (first, 12_000_000), meta
assert meta.etag == hashlib.sha256(files["folds/0.safetensors"]).hexdigest(), meta

# What is there already is neither sent again nor committed again.
assert api.upload_folder(repo_id=repo, folder_path=folder, revision="dev/exp1", allow_patterns="README.md").oid == \
    next(b.target_commit for b in api.list_repo_refs(repo).branches if b.name == "dev/exp1")

refused(EntryNotFoundError, lambda: hf.hf_hub_download(repo, "nope"))
refused(RevisionNotFoundError, lambda: hf.hf_hub_download(repo, "config.json", revision="v9"))
refused(RepositoryNotFoundError, lambda: api.model_info("acme/none"))
refused(RepositoryNotFoundError, lambda: hf.HfApi(token=False).model_info(repo))
refused(RepositoryNotFoundError, lambda: hf.hf_hub_download(repo, "README.md", token=False, cache_dir=scratch / "other"))
api.update_repo_settings(repo, private=False)
assert hf.HfApi(token=False).model_info(repo).private is False
refused(HfHubHTTPError, lambda: hf.HfApi(token=False).create_tag(repo, tag="mine"))
refused(HfHubHTTPError, lambda: hf.HfApi(token="hf_wrong").create_tag(repo, tag="mine"))
refused(HfHubHTTPError, lambda: api.delete_branch(repo, branch="main"))
api.update_repo_settings(repo, private=True)

api.move_repo(repo, "acme/moved")
refused(RepositoryNotFoundError, lambda: api.model_info(repo))
repo = "acme/moved"
assert api.model_info(repo).sha == second

api.delete_file("config.json", repo)
api.delete_folder("folds", repo)
assert sorted(api.list_repo_files(repo)) == [".gitattributes", "README.md", "table.csv"]
api.delete_tag(repo, tag="v1.0.0")
api.delete_branch(repo, branch="dev/exp1")
api.delete_repo(repo)
print("ok")
