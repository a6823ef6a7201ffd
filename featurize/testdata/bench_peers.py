"""Times RDKit and nfp pass by pass, beside BenchmarkBesidePeers.

    python bench_peers.py SMILES_FILE

Prints one line of JSON with the names of what it can time, then for every name
read from standard input runs that over the whole file, on one core, and prints
the seconds it took.

rdkit   MolFromSmiles and AddHs, in C++
nfp     nfp's SmilesPreprocessor: the same, then v1 strings, networkx and tokens
"""
import json
import os
import sys
import time

if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

from rdkit import Chem, RDLogger  # noqa: E402

RDLogger.DisableLog("rdApp.*")

with open(sys.argv[1]) as f:
    rows = f.read().split()


def rdkit():
    for s in rows:
        Chem.AddHs(Chem.MolFromSmiles(s))


passes = {"rdkit": rdkit}
try:
    from nfp.preprocessing.mol_preprocessor import SmilesPreprocessor

    preprocessor = SmilesPreprocessor()

    def nfp():
        for s in rows:
            preprocessor(s, train=True)

    passes["nfp"] = nfp
except ImportError:
    pass

for run in passes.values():
    run()  # warm up, and fit the tokenizers
print(json.dumps(list(passes)), flush=True)
for line in sys.stdin:
    run = passes[line.strip()]
    start = time.perf_counter()
    run()
    print(time.perf_counter() - start, flush=True)
