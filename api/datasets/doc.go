// Package datasets keeps the tables that users upload, shows them beside the
// shipped ones, and opens them for jobs.
//
//	datasets/<id>/table.csv        the table as it came, as plain CSV
//	datasets/<id>/meta.json        what is known of it: the dataset
//	index/datasets/<content>       the id under which that content is kept
//
// A table is checked when it comes, down to every SMILES, and listed with all
// its defects or refused with them. The same file under the same name is one
// dataset however often it comes.
package datasets
