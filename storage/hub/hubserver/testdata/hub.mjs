// The calls of @huggingface/hub, through a Hub: hub.mjs MODULE URL TOKEN.
import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";

const [, , module, hubUrl, accessToken] = process.argv;
const hub = await import(pathToFileURL(module));
const repo = { type: "model", name: "acme/js" };
const at = { hubUrl, accessToken, repo };
const text = (blob) => blob.text();
const list = async (iterator) => {
  const out = [];
  for await (const x of iterator) out.push(x);
  return out;
};

assert.equal((await hub.whoAmI({ hubUrl, accessToken })).name, "polyid");
await hub.createRepo({ ...at });
assert.equal(await hub.repoExists(at), true);
assert.equal(await hub.repoExists({ ...at, repo: { type: "model", name: "acme/none" } }), false);
await hub.checkRepoAccess(at);

const large = new Uint8Array(3_000_000).map((_, i) => (i * 31) % 251);
const card = "---\nlicense: mit\npipeline_tag: tabular-regression\ntags: [polymers]\n---\n# Tg\n";
const first = await hub.uploadFiles({
  ...at, commitTitle: "one", useXet: false,
  files: [
    { path: "README.md", content: new Blob([card]) },
    { path: "folds/large.bin", content: new Blob([large]) },
    { path: "a/b.txt", content: new Blob(["b"]) },
  ],
});
assert.match(first.commit.oid, /^[0-9a-f]{40}$/);
await hub.uploadFile({ ...at, useXet: false, file: { path: "config.json", content: new Blob(["{}"]) } });

assert.equal(await hub.fileExists({ ...at, path: "README.md" }), true);
assert.equal(await hub.fileExists({ ...at, path: "nope" }), false);
assert.equal(await text(await hub.downloadFile({ ...at, path: "README.md" })), card);
assert.equal(await text(await hub.downloadFile({ ...at, path: "README.md", raw: true })), card);
assert.match(await text(await hub.downloadFile({ ...at, path: "folds/large.bin", raw: true })), /^version https:\/\/git-lfs/);
assert.deepEqual(new Uint8Array(await (await hub.downloadFile({ ...at, path: "folds/large.bin" })).arrayBuffer()), large);
assert.equal((await hub.fileDownloadInfo({ ...at, path: "folds/large.bin" })).size, large.length);
assert.equal(await hub.fileDownloadInfo({ ...at, path: "nope" }), null);

const info = await hub.modelInfo({ hubUrl, accessToken, name: repo.name, additionalFields: ["tags", "sha", "cardData", "author"] });
assert.equal(info.name, repo.name);
assert.equal(info.task, "tabular-regression");
assert.ok(info.tags.includes("polymers") && info.cardData.license === "mit" && info.author === "acme");

assert.equal(await hub.countCommits(at), 3);
const commits = await list(hub.listCommits({ ...at, batchSize: 2 }));
assert.deepEqual(commits.map((c) => c.title).slice(1), ["one", "initial commit"]);

const files = await list(hub.listFiles({ ...at, recursive: true, expand: true }));
assert.deepEqual(files.filter((f) => f.type === "directory").map((f) => f.path), ["a", "folds"]);
assert.ok(files.every((f) => f.lastCommit && f.lastCommit.id));
assert.equal(files.find((f) => f.path === "folds/large.bin").lastCommit.title, "one");
const paths = await hub.pathsInfo({ ...at, paths: ["folds", "README.md", "nope"], expand: true });
assert.deepEqual(paths.map((p) => p.path), ["folds", "README.md"]);

await hub.createBranch({ ...at, branch: "dev", revision: first.commit.oid });
await assert.rejects(hub.createBranch({ ...at, branch: "dev" }), (e) => e.statusCode === 409);
await hub.createBranch({ ...at, branch: "dev", overwrite: true }); // says nothing of where it should be
assert.equal(await hub.fileExists({ ...at, revision: "dev", path: "config.json" }), false);
await hub.createBranch({ ...at, branch: "dev", revision: "main", overwrite: true });
assert.equal(await hub.fileExists({ ...at, revision: "dev", path: "config.json" }), true);
await hub.createBranch({ ...at, branch: "empty", empty: true });
assert.deepEqual(await list(hub.listFiles({ ...at, revision: "empty" })), []);
await hub.uploadFile({ ...at, useXet: false, branch: "empty", file: { path: "x", content: new Blob(["x"]) } });
await hub.deleteBranch({ ...at, branch: "empty" });

await hub.deleteFile({ ...at, path: "a/b.txt" });
assert.equal(await hub.fileExists({ ...at, path: "a/b.txt" }), false);
assert.ok((await list(hub.listModels({ hubUrl, accessToken, search: { owner: "acme" } }))).some((m) => m.name === repo.name));
await assert.rejects(hub.createRepo({ ...at, repo: { type: "dataset", name: "acme/data" } }), (e) => e.statusCode === 400);
await assert.rejects(hub.modelInfo({ hubUrl, accessToken, name: "acme/none" }), (e) => e.statusCode === 404);
await hub.deleteRepo(at);
assert.equal(await hub.repoExists(at), false);
console.log("ok");
