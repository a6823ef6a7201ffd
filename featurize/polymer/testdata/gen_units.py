"""Links repeat units with RDKit, for units.tsv.gz.

    python gen_units.py ../../../data/polymers_seven_properties.csv > units.tsv.gz

Columns: the unit, three of them in a chain with hydrogen ends, and for some four in
a ring.
Needs rdkit 2026.9.1. Beside the units of the table it has some that test where
stereochemistry goes when a dummy does.
"""
import csv
import gzip
import sys

from rdkit import Chem, RDLogger

RDLogger.DisableLog("rdApp.*")

EXTRA = [
    "*[C@H](C)C*", "*C[C@@H](*)c1ccccc1", "*[C@@](F)(Cl)C*", "O[C@@H](*)C*", "*[C@H](O)[C@@H](O)*",
    "C([C@@H](C)*)*", "*O[C@H](C)C(=O)*", "*O[C@@H](CC(C)C)C(=O)*", "*[C@@H]1CC[C@H](*)C1", "*[C@H]1CC[C@@H](*)CC1",
    "[C@@H]1(*)CC[C@H](*)O1", "*[P@](=O)(C)C*", "*[S@](=O)C*",
    "*/C=C/*", "*/C=C\\*", "*/C=C(/*)C", "*C/C=C/C*", "*C/C=C(/C)C*", "*/C(F)=C(\\C)*", "*/C=C/C=C/*", "*/C=C/C=C\\*",
    "*=CC=*", "*C#C*", "*CC*", "*C*", "*c1ccc(*)cc1", "*c1ccc(*)s1", "*[Si](C)(C)O*", "*[O+](C)*", "[1*]C[2*]",
    "[*:1]C([*:2])C", "*n1c(=O)c2cc3c(=O)n(*)c(=O)c3cc2c1=O", "*N1C(=O)c2ccc(*)cc2C1=O", "*C(*)[N+](=O)[O-]",
]


def read(text):
    """The unit, with its two dummies told apart so that no centre is lost."""
    params = Chem.SmilesParserParams()
    params.sanitize = False
    mol = Chem.MolFromSmiles(text, params)
    for i, atom in enumerate(a for a in mol.GetAtoms() if a.GetAtomicNum() == 0):
        atom.SetIsotope(i + 1)
    Chem.SanitizeMol(mol)
    Chem.AssignStereochemistry(mol, cleanIt=True, force=True)
    return mol


def link(unit, n, closed):
    """n units, joined head to tail by molzip, which keeps stereochemistry."""
    mols = []
    for i in range(n):
        mol = Chem.RWMol(unit)
        head, tail = [a for a in mol.GetAtoms() if a.GetAtomicNum() == 0]
        for atom, label in ((head, i), (tail, i + 1)):
            atom.SetIsotope(0)
            atom.SetAtomMapNum(label if not closed else label % n + 1000)
        mols.append(mol.GetMol())
    whole = mols[0]
    for mol in mols[1:]:
        whole = Chem.CombineMols(whole, mol)
    if not closed:
        whole = Chem.RWMol(whole)
        for atom in whole.GetAtoms():
            if atom.GetAtomicNum() == 0 and atom.GetAtomMapNum() in (0, n):
                order = int(atom.GetBonds()[0].GetBondTypeAsDouble())
                if order > 1:
                    return None
                atom.SetAtomicNum(1)
                atom.SetAtomMapNum(0)
        whole = whole.GetMol()
    params = Chem.MolzipParams()
    params.label = Chem.MolzipLabel.AtomMapNumber
    zipped = Chem.molzip(whole, params) if n > 1 or closed else whole
    # Written and read twice: the form of one pass is not always stable.
    for _ in range(2):
        zipped = Chem.MolFromSmiles(Chem.MolToSmiles(zipped))
        if zipped is None:
            return None
        zipped = without_hydrogens(zipped)
    return Chem.MolToSmiles(zipped)


def without_hydrogens(mol):
    """RDKit keeps hydrogens that a mark was put on, also at the end of CH2=."""
    mol = Chem.RWMol(mol)
    for h in [a.GetIdx() for a in mol.GetAtoms() if a.GetAtomicNum() == 1 and not a.GetIsotope()][::-1]:
        carbon = mol.GetAtomWithIdx(h).GetNeighbors()[0]
        if carbon.GetTotalNumHs(includeNeighbors=True) > 1:
            for bond in carbon.GetBonds():
                bond.SetStereo(Chem.BondStereo.STEREONONE)
        mol.RemoveAtom(h)
        carbon.SetNoImplicit(False)
    return mol.GetMol()


def line(text):
    unit = read(text)
    ring = link(unit, 4, True) if text in EXTRA or set(text) & set("/\\@") else None
    return "\t".join((text, link(unit, 3, False) or "", ring or ""))


# First, and once: late in a process RDKit forgets some marks of small rings such
# as that of */C=C/*.
lines = [line(text) for text in EXTRA]
with open(sys.argv[1], newline="") as table:
    units = [row["smiles_repeat_unit"] for row in csv.DictReader(table)]
lines += [line(text) for text in units if text not in EXTRA]
sys.stdout.buffer.write(gzip.compress(("\n".join(lines) + "\n").encode(), mtime=0))
