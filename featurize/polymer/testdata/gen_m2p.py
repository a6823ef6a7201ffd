"""Asks m2p again what m2p.jsonl.gz and m2p_functionality.jsonl.gz hold.

    python gen_m2p.py m2p.jsonl.gz m2p_functionality.jsonl.gz

Each file is rewritten in place, its questions kept. Needs m2p 0.1.8.3 and rdkit
2026.9.1 with pandas 2 (.ci/peers polyid). Lines of kind upe come from rdkit
2022.9.5 and pandas 1.5.3, as they say, and so do those of carbonates, which m2p
cannot build with later ones: both are kept as they are.

  exact               every outcome with its probability, by going through all
                      choices m2p makes at random
  seeded, seeded_infinite, copolymer_stats
                      outcomes for seeds 0, 1, …
  *_stereo_exact      the chain of a sequence of monomers and configurations
  cip_stats           meso diads and first configurations, for seeds 0, 1, …
  sequence_stats      counts of each monomer, likewise
  get_monomers        what a string is taken for
"""
import gzip
import json
import random
import sys
import warnings
from collections import Counter
from fractions import Fraction

import numpy as np
import pandas as pd

warnings.filterwarnings("ignore")

import m2p  # noqa: E402
from m2p import polymaker, stereo_reactions, utils  # noqa: E402
from rdkit import Chem, RDLogger  # noqa: E402

RDLogger.DisableLog("rdApp.*")
MAKER = m2p.PolyMaker()


def seed(n):
    random.seed(n)
    np.random.seed(n)


def chain(line, ring=False):
    monomers = line.get("monomers_in", tuple(line["monomers"]))
    table = MAKER.thermoplastic(
        monomers, mechanism=line["mechanism"], DP=line["DP"],
        distribution=line.get("distribution") or [], infinite_chain=ring, verbose=False)
    return table.smiles_polymer.iloc[0]


class Choices:
    """Goes through all ways that random.choice and DataFrame.sample can go."""

    def __init__(self):
        self.path, self.width, self.at, self.odds = [], [], 0, Fraction(1)

    def pick(self, odds):
        total = sum(odds)
        if self.at == len(self.path):
            self.path.append(0)
            self.width.append(len(odds))
        i = self.path[self.at]
        self.at += 1
        self.odds *= odds[i] / total
        return i

    def choice(self, items):
        """Equal items are one, as m2p lists a product once for every match."""
        names = [Chem.MolToSmiles(x) if isinstance(x, Chem.Mol) else x for x in items]
        counts = Counter(names)
        name = list(counts)[self.pick([Fraction(c) for c in counts.values()])]
        return items[names.index(name)]

    def sample(self, frame, n=1, weights=None, replace=False):
        if weights is None:
            odds = [Fraction(1)] * len(frame)
        else:
            odds = [Fraction(str(weights[i])) for i in frame.index]
        return frame.iloc[[self.pick(odds)]]

    def all(self, run):
        outcomes = Counter()
        choice, sample = random.choice, pd.DataFrame.sample
        polymaker.random.choice = self.choice
        pd.DataFrame.sample = lambda frame, *a, **k: self.sample(frame, *a, **k)
        try:
            while True:
                self.at, self.odds = 0, Fraction(1)
                result = run()
                outcomes[result] += self.odds
                while self.path and self.path[-1] + 1 == self.width[-1]:
                    self.path.pop()
                    self.width.pop()
                if not self.path:
                    return outcomes
                self.path[-1] += 1
        finally:
            polymaker.random.choice, pd.DataFrame.sample = choice, sample


def vinyl_stereo(line):
    monomers = line["monomers"]
    start, units = stereo_reactions.get_vinyl_init_dict(monomers), stereo_reactions.get_vinyl_prop_dict(monomers)
    polymer = start[line["seq"][0]][line["rs"][0]]
    for kind, centre in zip(line["seq"][1:], line["rs"][1:]):
        polymer = stereo_reactions.vinyl_prop_stereo(polymer, units[kind][centre])
    return Chem.MolToSmiles(stereo_reactions.vinyl_terminate_stereo(polymer))


def ester_stereo(line):
    pairs = line["pairs"]
    start, units = stereo_reactions.get_ester_init_dict(pairs), stereo_reactions.get_ester_prop_dict(pairs)
    polymer = start[line["seq"][0]][line["rs"][0]]
    for kind, centre in zip(line["seq"][1:], line["rs"][1:]):
        polymer = stereo_reactions.ester_prop_stereo(polymer, units[kind][centre])
    return Chem.MolToSmiles(stereo_reactions.ester_terminate_stereo(polymer))


def answer(line):
    kind = line["kind"]
    if kind == "exact":
        outcomes = Choices().all(lambda: chain(line))
        line["outcomes"] = {s: str(outcomes[s]) for s in sorted(outcomes)}
    elif kind in ("seeded", "seeded_infinite") and line["mechanism"] != "carbonate":
        counts = Counter()
        for n in range(line["n_seeds"]):
            seed(n)
            counts[chain(line, ring=kind == "seeded_infinite")] += 1
        line["distinct"], line["outcomes"] = len(counts), dict(counts)
    elif kind == "copolymer_stats":
        counts, probe = Counter(), Chem.MolFromSmarts(line["probe"])
        for n in range(line["n_seeds"]):
            seed(n)
            counts[len(Chem.MolFromSmiles(chain(line)).GetSubstructMatches(probe))] += 1
        line["hist"] = {str(k): counts[k] for k in sorted(counts)}
        line["mean"] = sum(k * c for k, c in counts.items()) / line["n_seeds"]
    elif kind.endswith("_stereo_exact"):
        for key in ("polymer", "error"):
            line.pop(key, None)
        try:
            line["polymer"] = vinyl_stereo(line) if kind.startswith("vinyl") else ester_stereo(line)
        except Exception as e:
            line["error"] = repr(e)
    elif kind == "cip_stats":
        meso, first = Counter(), Counter()
        for n in range(line["n"]):
            seed(n)
            (rs,) = utils.get_CIP_assignments(1, line["pm"], line["DP"])
            meso[sum(a == b for a, b in zip(rs, rs[1:]))] += 1
            first[rs[0]] += 1
        line["meso_diads_hist"] = {str(k): meso[k] for k in sorted(meso)}
        line["first"] = dict(first)
    elif kind == "sequence_stats":
        counts = Counter()
        for n in range(line["n"]):
            seed(n)
            (sequence,) = utils.get_monomer_sequences(1, line["distribution"], line["DP"])
            each = tuple(sum(x == k for x in sequence) for k in range(max(1, len(line["distribution"]))))
            counts["%s/len%d" % (each, len(sequence))] += 1
        line["counts_hist"] = dict(counts)
    elif kind == "get_monomers":
        for key in ("out", "no_stereo", "error"):
            line.pop(key, None)
        try:
            line["out"] = list(MAKER.get_monomers(line["smi"]))
            line["no_stereo"] = list(MAKER.get_monomers(line["smi"], stereochemistry=False))
        except Exception as e:
            line["error"] = type(e).__name__
    return line


def functionality(line):
    mol = Chem.MolFromSmiles(line["smiles"])
    line["counts"], line["matches"] = {}, {}
    for name, smarts in MAKER.smiles_templates.items():
        matches = mol.GetSubstructMatches(Chem.MolFromSmarts(smarts))
        line["counts"][name] = len(matches)
        if matches:
            line["matches"][name] = [list(m) for m in matches]
    return line


for name, ask in zip(sys.argv[1:3], (answer, functionality)):
    with gzip.open(name, "rt") as f:
        lines = [json.dumps(ask(json.loads(text))) for text in f]
    with open(name, "wb") as f:
        f.write(gzip.compress(("\n".join(lines) + "\n").encode(), mtime=0))
