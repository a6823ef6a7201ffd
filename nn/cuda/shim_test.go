package cuda

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// The kernels as host code: shim/main.cpp compiled by the machine's C++
// compiler, one process per device.

var compiled struct {
	once sync.Once
	dir  string
	path string
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if compiled.dir != "" {
		os.RemoveAll(compiled.dir)
	}
	os.Exit(code)
}

// compileShim returns the program, compiled once for all tests.
func compileShim(t testing.TB) string {
	t.Helper()
	compiler, err := exec.LookPath("g++")
	if err != nil {
		t.Skip("no g++ to compile the kernels as host code with: install it to run this test")
	}
	compiled.once.Do(func() {
		if compiled.dir, compiled.err = os.MkdirTemp("", "cuda-shim"); compiled.err != nil {
			return
		}
		compiled.path = filepath.Join(compiled.dir, "shim")
		// Reading the sources tells go test what a cached result depends on.
		for _, pattern := range []string{"kernels/*", "shim/*"} {
			sources, _ := filepath.Glob(pattern)
			for _, path := range sources {
				if _, compiled.err = os.ReadFile(path); compiled.err != nil {
					return
				}
			}
		}
		// As a device does, multiply and add in one rounding where the machine can.
		// Fortified longjmp refuses to change stacks.
		out, err := exec.Command(compiler, "-std=c++17", "-O2", "-march=native", "-ffp-contract=fast", "-U_FORTIFY_SOURCE", "-Wall", "-Werror", "-Wno-unknown-pragmas",
			"-Ishim", "-Ikernels", "shim/main.cpp", "-o", compiled.path).CombinedOutput()
		if err != nil {
			compiled.err = fmt.Errorf("compile the kernels as host code: %w\n%s", err, out)
		}
	})
	if compiled.err != nil {
		t.Fatal(compiled.err)
	}
	return compiled.path
}

// shim is a driver on a child process.
type shim struct {
	order  uint64 // in which the threads of a block run; see shim.h
	blocks int

	mu  sync.Mutex
	cmd *exec.Cmd
	in  *bufio.Writer
	to  io.Closer
	out *bufio.Reader
}

var _ driver = (*shim)(nil)

// newShim starts a device.
func newShim(t testing.TB) *shim {
	t.Helper()
	s := &shim{blocks: 2, cmd: exec.Command(compileShim(t))}
	s.cmd.Stderr = os.Stderr
	in, err := s.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.to, s.in, s.out = in, bufio.NewWriterSize(in, 1<<16), bufio.NewReaderSize(out, 1<<16)
	return s
}

// openShim opens a device with an arena of some megabytes.
func openShim(t testing.TB, megabytes int) *Device {
	t.Helper()
	return openOn(t, newShim(t), megabytes)
}

func openOn(t testing.TB, drv driver, megabytes int) *Device {
	t.Helper()
	d, err := openDevice(drv, Options{Memory: megabytes << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if u := d.Usage(); u.Folds != 0 || u.Plans != 0 || u.Used != 0 {
			t.Errorf("the device is closed with %+v in use", u)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func (s *shim) describe() (Info, error) {
	return Info{Name: "cuda:0", Model: "this host", Blocks: s.blocks, Memory: 4 << 30, Free: 4 << 30}, nil
}

func (s *shim) close() error { return errors.Join(s.to.Close(), s.cmd.Wait()) }

// send writes a command, and reads an answer of n bytes.
func (s *shim) send(command byte, numbers []uint64, data []byte, answer []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.in.WriteByte(command)
	for _, n := range numbers {
		s.in.Write(binary.NativeEndian.AppendUint64(nil, n))
	}
	s.in.Write(data)
	if err := s.in.Flush(); err != nil {
		return fmt.Errorf("%w: %w", ErrLost, err)
	}
	if _, err := io.ReadFull(s.out, answer); err != nil {
		return fmt.Errorf("%w: %w", ErrLost, err)
	}
	return nil
}

// ask is send for a number.
func (s *shim) ask(command byte, numbers ...uint64) (uint64, error) {
	answer := make([]byte, 8)
	err := s.send(command, numbers, nil, answer)
	return binary.NativeEndian.Uint64(answer), err
}

func (s *shim) alloc(bytes int) (address, error) {
	p, err := s.ask('A', uint64(bytes))
	if err == nil && p == 0 {
		err = ErrOutOfMemory
	}
	return address(p), err
}

func (s *shim) free(a address) error { return s.send('F', []uint64{uint64(a)}, nil, nil) }

func (s *shim) stream() (stream, error) { return (*shimStream)(s), nil }

// shimStream does all work at once.
type shimStream shim

func (s *shimStream) shim() *shim { return (*shim)(s) }

func (s *shimStream) write(dst address, src []byte) error {
	return s.shim().send('W', []uint64{uint64(dst), uint64(len(src))}, src, nil)
}

func (s *shimStream) zero(dst address, bytes int) error { return s.write(dst, make([]byte, bytes)) }

func (s *shimStream) read(dst []byte, src address) error {
	return s.shim().send('R', []uint64{uint64(src), uint64(len(dst))}, nil, dst)
}

func (s *shimStream) launch(blocks int, a *arguments) error {
	ok, err := s.shim().ask('L', append([]uint64{uint64(blocks), s.order}, words64(a)...)...)
	if err == nil && ok == 0 {
		err = fmt.Errorf("%w: its threads wait for one another", ErrLost)
	}
	return err
}

func (s *shimStream) close() error { return nil }

// words64 is the arguments as numbers.
func words64(a *arguments) []uint64 {
	b := bytesOf([]arguments{*a})
	w := make([]uint64, len(b)/8)
	copy(bytesOf(w), b)
	return w
}
