"""Asks RDKit for the descriptors of the molecules in the golden files of featurize
and of the repeat units of the shipped tables.

    python gen_golden.py | gzip -9n > descriptors.jsonl.gz

Needs rdkit 2026.9.1 (.ci/peers rdkit). Each line: smiles, and the values by the
names of package descriptor. With --weights it prints the atomic weights instead.
"""
import csv
import gzip
import json
import os
import sys

from rdkit import Chem, RDLogger
from rdkit.Chem import Descriptors, rdMolDescriptors as d

RDLogger.DisableLog("rdApp.*")
here = os.path.dirname(os.path.abspath(__file__))


def smiles():
    seen = set()
    for name in "edge", "rdkit_wheel":
        with gzip.open(os.path.join(here, "../../testdata", name + ".jsonl.gz"), "rt") as f:
            for line in f:
                q = json.loads(line)
                if q["ok"] and q["smiles"] not in seen:
                    seen.add(q["smiles"])
                    yield q["smiles"]
    with open(os.path.join(here, "../../../data/polymers_seven_properties.csv"), newline="") as f:
        for row in csv.DictReader(f):
            yield row["smiles_repeat_unit"]


if sys.argv[1:] == ["--weights"]:
    table = Chem.GetPeriodicTable()
    print([table.GetAtomicWeight(i) for i in range(119)])
    sys.exit()

for s in smiles():
    m = Chem.MolFromSmiles(s)
    print(
        json.dumps(
            {
                "smiles": s,
                "heavy_atoms": d.CalcNumHeavyAtoms(m),
                "weight": round(Descriptors.MolWt(m), 6),
                "hydrogens": sum(a.GetTotalNumHs() + (a.GetAtomicNum() == 1) for a in m.GetAtoms()),
                "heteroatoms": d.CalcNumHeteroatoms(m),
                "fraction_csp3": round(d.CalcFractionCSP3(m), 9),
                "rings": d.CalcNumRings(m),
                "aromatic_rings": d.CalcNumAromaticRings(m),
                "donors": d.CalcNumHBD(m),
                "acceptors": d.CalcNumHBA(m),
                "rotatable_bonds": d.CalcNumRotatableBonds(m, False),
                "amide_bonds": d.CalcNumAmideBonds(m),
                "polar_surface": round(d.CalcTPSA(m), 6),
                "aromatic_atoms": sum(a.GetIsAromatic() for a in m.GetAtoms()),
            },
            separators=(",", ":"),
        )
    )
