// Package cuda runs the network on NVIDIA GPUs: the seam, checkpoints and
// results of nn/cpu, within float32 rounding, so that a fold may start on one
// and finish on the other.
//
// # A step is one launch
//
// At batch 1 a step is some 215 small dependent computations: forward, a block
// has nine, of a hundred rows by 128 or 256 columns each. Launched one by one,
// as a framework does, they cost more in launches than in arithmetic. Here they
// are a program in device memory, and one kernel (kernels/step.cu) whose blocks
// stay on the device from the first computation to the last interprets it:
//
//   - A program is made once per plan and network, by running the network's
//     Gorgonia graph (nn/global100) with operators that note what is to be done
//     (forward.go, backward.go). It is a list of operations in phases. An
//     operation is cut into tiles; blocks take a phase's tiles in turn; a
//     barrier of the grid ends the phase. Programs name memory relative to a
//     fold's own, so all folds of a network share them.
//   - An operation is fused as far as it needs no barrier: products take bias,
//     gathered rows, residuals, relu, relu's mask, segment sums and the way back
//     through the pooling in their last lines. Σ p·dp of softmax's gradient is
//     mean·dMean, so the way back through the pooling needs no sum over rows.
//   - A phase takes as long as its slowest tile, and few phases have as many tiles
//     as a device has blocks. So tiles of products are small, 16×16; a tile asks for
//     all it needs before it uses any of it, and eight slices of its summed index are
//     summed side by side, then added in order.
//   - On its way to a barrier a block looks up what it is to do behind it, and begins
//     to fetch weights, which no phase but the last changes.
//   - Gradients of weights are nobody's input, so all of them are the last phase:
//     a few thousand tiles that fill any device, each of which spends its
//     gradient on Adam at once. With several examples in a batch they are
//     summed in memory instead, and the last example applies them.
//
// A host's part in a step: one copy of the tokens, targets, Adam's coefficients
// and dropout's seed (some 200 bytes), one launch, one copy of the predictions,
// from which it computes the loss. Weights, moments and plans stay on the
// device. CUDA graphs were the alternative: one per plan and fold, some 215
// nodes each, with the same drain and refill between nodes that the barrier
// costs here; gorgonia.org/cu can build one, not launch it.
//
// Several folds train side by side, each on a stream of its own with its share
// of the device's multiprocessors (Options.Folds): the launches are
// cooperative, so a grid starts when all its blocks fit.
//
// # Same numbers
//
// Each number is summed by fixed threads in a fixed order, whichever block takes
// the tile: results are the same to the bit on one device model, and do not
// depend on how many blocks there are. There are no float atomics; the barrier
// counts in integers. Dropout draws what nn/cpu draws: a thread skips to its
// place in the same stream (nn/internal/dropout).
//
// Weights and moments are in nn.Layout's order, row-major. Of nn/cpu's host
// code the checks and dropout's tables are shared; its packed layout, arena and
// plan views are not, because nothing here packs.
//
// # Memory
//
// One block of device memory is reserved when a device is opened, and dealt out
// first fit: see Options.Memory and ErrOutOfMemory. A fold of the default
// network takes 12 bytes a parameter (41 MB) and up to 14 MB of states on the shipped
// polymers; a plan with its program, shared by the folds, 0.3 MB. Where not all
// plans fit, those that a step does not need make way.
//
// # Building
//
// Without the tag gpu the package needs no CUDA, has no devices, and says so
// (ErrNotBuilt). With it, a program is linked with a libcuda that hands every
// call on to the driver's where there is one, so the same program starts on a
// machine without: there DEVICE=cpu and DEVICE=cuda:0,cpu train on the CPU, and
// DEVICE=cuda:0 is an error.
//
//	eval "$(.ci/peers cuda)"
//	nn/cuda/build.sh go build -tags gpu -o worker/worker ./worker
//	DEVICE=cuda:0 worker/worker
//
// On a machine with a GPU, on_device.sh does all that remains to be done: the
// suite on the device, ms a step of 1, 2, 4 and 8 folds, a fold in full.
//
// # What has been tried, and what not
//
// On an H200 (driver 580, CUDA 13.0), by on_device.sh: the whole of enginetest with
// PolyID's own outputs; forward, backward and ten Adam steps beside nn/cpu on all 35
// distinct polymers of PolyID's table, with the small and with the default network;
// a fold of a small network that learns as on the CPU; the same bits on grids of
// 264, 132 and 49 blocks; one to eight folds side by side; and times, below. Through
// the whole service, the default job, of which a worker on the CPU (AVX-512) had
// trained five epochs. Other devices, and drivers that are older, have not been
// seen. What stands in for them:
//
//   - The kernels' source, compiled by the host's C++ compiler with a header that
//     emulates blocks, threads, shared memory and barriers (shim), run by this
//     package's own orchestration as a child process: the whole of enginetest,
//     and nn/cpu on shipped polymers, forward, backward and ten Adam steps. By
//     default these are the 35 distinct ones of PolyID's table and 15 of the second
//     table on a network of 16 features, and one on the default network; LONG=1
//     takes all 1503 rows of the second table on the former, and the 35 on the
//     latter. Threads are run in several orders, which must not change a bit.
//   - PTX for sm_70, 80, 86 and 90 (gen_ptx.py), compiled by NVRTC and assembled
//     by ptxas. Newer devices compile sm_90's when it is loaded. It says it is of
//     the oldest version of PTX that will do, so drivers from CUDA 11.8 on take it.
//     Its only atomic instruction counts blocks at the barrier, in integers.
//   - The tag gpu, compiled, vetted and linked without a toolkit (build.sh).
//   - gpu.go, with gorgonia.org/cu beneath it, on a libcuda.so.1 that runs the
//     kernels on the host (build.sh --emulated, shim/libcuda.cpp): contexts,
//     streams, copies, cooperative launches, several folds on two devices, and
//     the error of every call it makes; and the worker on it (worker/gpu_test.go),
//     with a job on two devices, and a fold that a lost device leaves to a CPU. It
//     is as strict as its author knew CUDA to be, which is not CUDA.
//   - The calls a step makes of a device, and every error of one, on a scripted
//     driver: a lost device, damaged memory or memory that is too small are
//     an *Error, which ends the attempt at a fold and not the job.
//
// Linking for arm64 has not been tried.
//
// # How long a step takes
//
// On an H200, the default network, the shipped rows at batch 1:
//
//	folds at once        1      2      4      8
//	ms a step, each   1.33   1.49   1.76   2.49
//	for one of all    1.33   0.74   0.44   0.31
//
// The default job, all 5 folds at once, took 197 s from the start of its worker to
// its publication, 190 s of them a fold's 495 epochs: 2.1 ms a step, validation
// included. Where a step of one fold goes to, by the clock at each barrier: 0.40 ms
// barriers, 1.8 µs each; 0.64 tiles, of which a product's takes 2.7 to 3.3 µs and a
// pooling's 8; 0.10 the update; 0.13 the host, which sleeps until it is woken. Were
// it to spin instead, 1.17 ms in all.
//
// The model, computed from the programs themselves by TestModel, says what to expect
// of other devices. What a step consists of, and how long each part would take by
// the data sheets alone:
//
//	a step: 1 launch of 215 phases, 1.16 GFLOP, 173 MB
//	              launch, copies   phases   arithmetic   memory   ms, were each the only one to count
//	A10G                    0.14     0.65         0.03     0.41
//	A100                    0.14     0.65         0.06     0.16
//	H100                    0.14     0.65         0.02     0.07
//	H200                    0.14     0.65         0.02     0.05
//
// The bytes are those of each operation's inputs and outputs, as if no cache kept
// any from one operation to the next; so neither arithmetic nor memory bounds a step of
// one fold, but latency does. The step, under these assumptions, set such that the H200
// comes out as measured:
//
//   - a phase costs 3 µs: the barrier and the first loads;
//   - a tile of a product takes 2300 cycles and 250 for each 32 summed indices, one
//     that undoes a pooling 5000, a gradient's 4000 more than a product's, a pooling
//     14000;
//   - several tiles on a multiprocessor take 65 % of the cycles they would take one
//     after the other;
//   - the update moves 24 bytes a parameter at 70 % of the memory's bandwidth, and
//     the second-level cache holds the rest;
//   - copies, the launch and waking up cost 140 µs;
//   - each fold keeps another waiting for as long as it keeps all multiprocessors
//     and the memory busy; in turns, the last column, they share nothing and run one
//     after the other.
//
// The job is 5 folds × 500 epochs × 183 rows, validation included, all folds at
// once on one device (CONCURRENCY=5). The estimate this project began with, for
// PolyID on TensorFlow, was 42 hours on an A10G.
//
//	              ms a step, 1 fold   5 folds at once, each   limit, any number of folds   hours for the job   in turns
//	A10G                       1.56                    3.57                         0.50                0.10       0.22
//	A100                       1.52                    2.92                         0.35                0.08       0.22
//	H100                       1.28                    2.05                         0.19                0.06       0.18
//	H200                       1.27                    2.00                         0.18                0.06       0.18
//
// But for the H200's first two columns these are a model's numbers, not measurements.
package cuda
