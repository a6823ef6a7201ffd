package main

import "io"

// commands is the command line. A command is a struct with kong tags and
//
//	func (c *NameCmd) Run(ctx context.Context, std *streams) error
//
// in a file of its own; an optional Validate() error refuses bad flags.
type commands struct {
	Serve      ServeCmd      `cmd:"" default:"withargs" help:"Serve the API and its pages; without REDIS_URL with a worker, without HF_ENDPOINT with a Hub inside. What go run ./api does without a command. Each flag is also an environment variable, --data-dir DATA_DIR; secrets are variables alone: API_TOKENS, HF_TOKEN, WEBHOOK_SECRET."`
	Quickstart QuickstartCmd `cmd:"" help:"Show everything once, in two minutes: train a short job, publish it to the embedded Hub, predict with it, then keep serving."`
	Train      TrainCmd      `cmd:"" help:"Submit a training job; --watch follows it."`
	Search     SearchCmd     `cmd:"" help:"Submit a search for the best settings of a training job; --watch follows it."`
	Predict    PredictCmd    `cmd:"" help:"Predict the polymers of a CSV file: CSV on stdout, progress on stderr."`
	Screen     ScreenCmd     `cmd:"" help:"Predict a whole library on the workers: the rows that are wanted on stdout, progress on stderr."`
	Backup     BackupCmd     `cmd:"" help:"Write an archive of a service's data, to move it to another machine."`
	Restore    RestoreCmd    `cmd:"" help:"Restore an archive that backup wrote into a place without data."`

	CheckStorage CheckStorageCmd `cmd:"" help:"Check that an object store can be used: reads, conditional writes and listings."`
	Doctor       DoctorCmd       `cmd:"" help:"Look for damage in what a service has stored; --repair repairs what it can."`
	Version      VersionCmd      `cmd:"" help:"Show what this program was built from."`

	Bench      BenchCmd      `cmd:"" help:"Measure this machine: training steps, matrix products, predictions, and the time the default job takes; a JSON object on stdout, a table on stderr."`
	Featurize  FeaturizeCmd  `cmd:"" help:"Turn SMILES into the graphs the network sees: one SMILES per line in, one JSON object per line out."`
	Polymerize PolymerizeCmd `cmd:"" help:"Build polymer chains from monomers: monomers with dots between them per line in, one JSON object per chain out."`
}

// streams are a command's standard input, output and error.
type streams struct {
	in       io.Reader
	out, err io.Writer
}
