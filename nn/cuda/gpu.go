//go:build gpu

package cuda

/*
#include <cuda.h>

// gorgonia.org/cu has no cooperative launch: this is one, of a kernel whose
// arguments are all 64 bits wide.
static CUresult launchCooperatively(CUfunction f, unsigned blocks, unsigned threads, CUstream stream,
                                    unsigned long long *args, int n) {
	void *at[32];
	for (int i = 0; i < n; i++) at[i] = &args[i];
	return cuLaunchCooperativeKernel(f, blocks, 1, 1, threads, 1, 1, 0, stream, at);
}
*/
import "C"

import (
	"embed"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"unsafe"

	"gorgonia.org/cu"
)

// Built reports whether this program was built with the tag gpu.
const Built = true

//go:embed ptx/*.ptx
var ptx embed.FS

// gpu is a driver on a real device, in its primary context.
type gpu struct {
	name   string
	device cu.Device
	ctx    cu.CUContext
	module cu.Module
	step   cu.Function
}

var _ driver = (*gpu)(nil)

// count is how many devices there are.
func count() (int, error) {
	n, err := cu.NumDevices()
	return n, translate(err)
}

// openDriver opens a device by its number and loads the kernel.
func openDriver(ordinal int) (driver, error) {
	d := &gpu{name: deviceName(ordinal)}
	fail := func(op string, err error) (driver, error) { return nil, &Error{d.name, op, translate(err)} }
	var err error
	if d.device, err = cu.GetDevice(ordinal); err != nil {
		return fail("find the device", err)
	}
	// A fold that waits leaves its core to the others; waking up costs a tenth of a
	// step where one trains alone.
	if err := d.device.SetPrimaryCtxFlags(cu.SchedBlockingSync); err != nil {
		return fail("set up a context", err)
	}
	if d.ctx, err = d.device.RetainPrimaryCtx(); err != nil {
		return fail("open a context", err)
	}
	if err := d.load(); err != nil {
		return nil, errors.Join(&Error{d.name, "load the kernel", err}, d.close())
	}
	return d, nil
}

// load compiles the PTX for the device.
func (d *gpu) load() error {
	major, minor, err := d.capability()
	if err != nil {
		return err
	}
	arch, err := architecture(major, minor)
	if err != nil {
		return err
	}
	text, err := ptx.ReadFile(archFile(arch))
	if err != nil {
		return err
	}
	return d.do(func() error {
		if d.module, err = cu.LoadData(string(text)); err != nil {
			return err
		}
		d.step, err = d.module.Function("step")
		return err
	})
}

func (d *gpu) capability() (major, minor int, err error) {
	if major, err = d.device.Attribute(cu.ComputeCapabilityMajor); err != nil {
		return 0, 0, translate(err)
	}
	minor, err = d.device.Attribute(cu.ComputeCapabilityMinor)
	return major, minor, translate(err)
}

// do calls the driver with the context current, and says what became of it in
// this package's terms.
func (d *gpu) do(f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cu.SetCurrentContext(d.ctx); err != nil {
		return translate(err)
	}
	return translate(f())
}

// translate gives cu's errors the meaning they have here. Their type is not
// exported; its values are the driver's codes.
func translate(err error) error {
	if err == nil {
		return nil
	}
	if v := reflect.ValueOf(err); v.Kind() == reflect.Int {
		return classify(int(v.Int()), err.Error())
	}
	return err
}

func (d *gpu) describe() (Info, error) {
	i := Info{Name: d.name, Driver: cu.Version()}
	cooperative := 0
	perMultiprocessor := 0
	err := d.do(func() (err error) {
		if i.Model, err = d.device.Name(); err != nil {
			return err
		}
		if i.Multiprocessors, err = d.device.Attribute(cu.MultiprocessorCount); err != nil {
			return err
		}
		if cooperative, err = d.device.Attribute(C.CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH); err != nil {
			return err
		}
		if perMultiprocessor, err = d.step.MaxActiveBlocksPerMultiProcessor(threads, 0); err != nil {
			return err
		}
		free, total, err := cu.MemInfo()
		i.Free, i.Memory = int(free), int(total)
		return err
	})
	if err != nil {
		return i, &Error{d.name, "describe the device", err}
	}
	if cooperative == 0 {
		return i, &Error{d.name, "describe the device", errors.New("it cannot launch cooperatively")}
	}
	if i.Major, i.Minor, err = d.capability(); err != nil {
		return i, &Error{d.name, "describe the device", err}
	}
	// Two blocks hide each other's latency; more of one launch only make its barrier
	// longer, more launches do not.
	i.Blocks, i.Enough = i.Multiprocessors*perMultiprocessor, 2*i.Multiprocessors
	return i, nil
}

func (d *gpu) alloc(bytes int) (a address, err error) {
	err = d.do(func() error {
		p, err := cu.MemAlloc(int64(bytes))
		a = address(p)
		return err
	})
	return a, err
}

func (d *gpu) free(a address) error {
	return d.do(func() error { return cu.MemFree(cu.DevicePtr(a)) })
}

func (d *gpu) close() error {
	var unload error
	if d.module != (cu.Module{}) {
		unload = d.do(d.module.Unload)
	}
	return errors.Join(unload, translate(d.device.ReleasePrimaryCtx()))
}

func (d *gpu) stream() (stream, error) {
	s := &gpuStream{d: d}
	err := d.do(func() (err error) {
		s.s, err = cu.MakeStream(cu.NonBlocking)
		return err
	})
	return s, err
}

type gpuStream struct {
	d *gpu
	s cu.Stream
}

// write copies from Go's memory: pageable, so the driver is done with it when
// the call returns.
func (s *gpuStream) write(dst address, src []byte) error {
	if len(src) == 0 {
		return nil
	}
	return s.d.do(func() error {
		return cu.MemcpyHtoDAsync(cu.DevicePtr(dst), unsafe.Pointer(&src[0]), int64(len(src)), s.s)
	})
}

func (s *gpuStream) zero(dst address, bytes int) error {
	return s.d.do(func() error { return cu.MemsetD32Async(cu.DevicePtr(dst), 0, int64(bytes/4), s.s) })
}

func (s *gpuStream) launch(blocks int, a *arguments) error {
	const n = unsafe.Sizeof(*a) / 8
	args := *(*[n]C.ulonglong)(unsafe.Pointer(a))
	return s.d.do(func() error {
		// A cu.Function is the driver's handle and nothing else.
		f := *(*C.CUfunction)(unsafe.Pointer(&s.d.step))
		code := C.launchCooperatively(f, C.uint(blocks), threads, C.CUstream(unsafe.Pointer(s.s.C())), &args[0], C.int(n))
		if code != C.CUDA_SUCCESS {
			return classify(int(code), fmt.Sprintf("cooperative launch of %d blocks: code %d", blocks, int(code)))
		}
		return nil
	})
}

func (s *gpuStream) read(dst []byte, src address) error {
	return s.d.do(func() error {
		if len(dst) > 0 {
			if err := cu.MemcpyDtoHAsync(unsafe.Pointer(&dst[0]), cu.DevicePtr(src), int64(len(dst)), s.s); err != nil {
				return err
			}
		}
		return s.s.Synchronize()
	})
}

func (s *gpuStream) close() error { return s.d.do(s.s.Destroy) }
