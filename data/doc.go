// Package data is the table a training job starts from and a prediction reads:
// polymers, what was measured of them, and which rows learn and which rows
// judge. It knows no chemistry: a caller who does passes [Options.Check].
//
// # The table
//
// A file is CSV (comma, semicolon, tab or bar; quoted; gzip; CRLF; byte order mark)
// or the first shown sheet of an .xlsx, told apart by content. Its first row, below
// a title if there is one, is the
// header. Columns are found by name, ignoring case, spaces and underscores, or
// stated in [Columns]:
//
//   - smiles_polymer: a finished chain;
//   - smiles_repeat_unit: a repeat unit with two *;
//   - monomers (or smiles_monomer) with mechanism, pm, distribution, DP and
//     replicate_structure: what a chain is grown from. Monomers are a Python
//     tuple or list of strings, or SMILES joined by dots.
//
// A row uses the first of these that it fills. The others still say which rows
// are the same polymer.
//
// Every numeric column that is none of these, no identifier and no earlier
// prediction is a target. A column Tg_units, or a header "Tg (K)", states
// units; one target has one unit. Tg and Glass_Transition name one property,
// as Tm and Melt_Temp do. Blank, NaN, NA, null and - are unmeasured.
//
// A long table has the columns property and value (and units); rows with equal
// structures become one row, repeated measurements their mean. Several files
// become one table: the union of their rows, targets aligned by name and alias.
//
// # Defects
//
// A file is never half believed. [Parse] reports every [Defect] at once, with
// the row a spreadsheet would show, and no table, unless [Options.DropBadRows]
// lets it leave out the rows at fault. Reading costs time and memory linear in
// the file; [Options] bounds both.
//
// # Splits
//
// [Table.Partition] deals rows into folds and a hold-out set. Rows of one group
// stay together: rows of one polymer always, and rows with equal token graphs
// if asked. That matters: PolyID's v1 features do not see tacticity, so the 229
// rows of its training table are 35 token graphs to the network (18 if the order
// of atoms is ignored too), and a split by polymer validates mostly on graphs
// that it trained on.
package data
