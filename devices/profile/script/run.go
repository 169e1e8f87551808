package script

import (
	"errors"
	"fmt"
	"maps"
	"runtime/metrics"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dop251/goja"
)

// Input is one uplink.
type Input struct {
	Bytes       []byte
	FPort       int
	ReceiveTime int64 // Unix nanoseconds; the codec's clock stands there
	Variables   map[string]string
}

// Output is what a codec said beside its data.
type Output struct {
	Warnings []string
}

// A Runner runs one codec in an engine of its own. It belongs to one goroutine.
type Runner struct {
	p       *Program
	vm      *goja.Runtime
	call    goja.Callable
	hasAny  goja.Callable
	factory goja.Value
	now     time.Time
	random  uint64

	mu    sync.Mutex // guards turn against a late watchdog
	turn  uint64     // changes at the start and at the end of each call
	cause error      // why the running call was interrupted
}

// NewRunner makes an engine. It costs about a millisecond and some hundred
// kilobytes, so one is kept per decoder.
func (p *Program) NewRunner() (*Runner, error) {
	if p.dead.Load() {
		return nil, &Error{Codec: p.name, Reason: ErrDead.Error(), Err: ErrDead}
	}
	r := &Runner{p: p}
	return r, r.renew()
}

// renew starts with an engine that no codec has run in.
func (r *Runner) renew() error {
	r.vm = goja.New()
	r.vm.SetMaxCallStackSize(maxCalls)
	r.vm.SetTimeSource(func() time.Time { return r.now })
	r.vm.SetRandSource(r.next)
	v, err := r.vm.RunProgram(prelude)
	if err != nil {
		return fmt.Errorf("prepare the engine of codec %s: %w", r.p.name, err)
	}
	setup, _ := goja.AssertFunction(v)
	made, err := setup(goja.Undefined(), r.vm.ToValue(maxElements), r.vm.ToValue(!r.p.extends))
	if err != nil {
		return fmt.Errorf("prepare the engine of codec %s: %w", r.p.name, err)
	}
	o := made.ToObject(r.vm)
	r.call, _ = goja.AssertFunction(o.Get("call"))
	r.hasAny, _ = goja.AssertFunction(o.Get("has"))
	if r.factory, err = r.vm.RunProgram(r.p.factory); err != nil {
		return r.p.position(err)
	}
	return nil
}

// next is a splitmix64 generator that starts anew with each message.
func (r *Runner) next() float64 {
	r.random += 0x9e3779b97f4a7c15
	z := r.random
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return float64((z^z>>31)>>11) / (1 << 53)
}

// Decode runs the codec over one uplink and appends its data as JSON. What a
// codec reports as its error, an exception and a broken limit are errors, and
// dst is returned as it was given.
func (r *Runner) Decode(dst []byte, in Input) ([]byte, Output, error) {
	var out Output
	var json string
	if r.p.extends && r.turn > 0 {
		if err := r.renew(); err != nil {
			return dst, Output{}, err
		}
	}
	err := r.guarded(func() error {
		r.now, r.random = time.Unix(0, in.ReceiveTime).UTC(), 0
		bytes := make([]any, len(in.Bytes))
		for i, b := range in.Bytes {
			bytes[i] = int64(b)
		}
		variables := r.vm.NewObject()
		for _, k := range slices.Sorted(maps.Keys(in.Variables)) {
			if err := variables.Set(k, in.Variables[k]); err != nil {
				return err
			}
		}
		v, err := r.call(goja.Undefined(), r.factory, r.vm.ToValue(string(r.p.cfg.API)), r.vm.NewArray(bytes...),
			r.vm.ToValue(in.FPort), r.vm.ToValue(in.ReceiveTime/1e6), variables)
		if err != nil {
			return err
		}
		o := v.ToObject(r.vm)
		if reason := o.Get("error"); reason != nil {
			return errors.New(clip(reason.String()))
		}
		json = o.Get("json").String()
		if len(json) > maxOutput {
			return fmt.Errorf("result of %d bytes, at most %d", len(json), maxOutput)
		}
		return r.vm.ExportTo(o.Get("warnings"), &out.Warnings)
	})
	if err != nil {
		return dst, Output{}, err
	}
	return append(dst, json...), out, nil
}

func clip(s string) string {
	if len(s) > 200 {
		return s[:200] + "…"
	}
	return s
}

func (r *Runner) has() (ok bool, err error) {
	err = r.guarded(func() error {
		v, err := r.hasAny(goja.Undefined(), r.factory, r.vm.ToValue(string(r.p.cfg.API)))
		if err == nil {
			ok = v.ToBoolean()
		}
		return err
	})
	return ok, err
}

// guarded runs f in the engine under the watchdog, and gives it up when it can
// not be interrupted.
func (r *Runner) guarded(f func() error) error {
	if r.p.dead.Load() {
		return &Error{Codec: r.p.name, Reason: ErrDead.Error(), Err: ErrDead}
	}
	r.mu.Lock()
	r.turn++
	turn := r.turn
	r.cause = nil
	r.mu.Unlock()
	r.vm.ClearInterrupt()

	done := make(chan error, 1)
	go func() {
		defer func() {
			if v := recover(); v != nil {
				done <- fmt.Errorf("engine: %v", v)
			}
		}()
		err := f()
		r.sweep()
		done <- err
	}()
	stuck := make(chan struct{})
	// the clock is only a guard: it says when to look at the processor time spent
	watch := time.AfterFunc(firstLook, func() { r.watch(turn, stuck) })
	var err error
	select {
	case err = <-done:
	case <-stuck:
		r.p.dead.Store(true)
		return &Error{Codec: r.p.name, Reason: ErrDeadline.Error() + " and cannot be interrupted", Err: ErrDeadline}
	}
	watch.Stop()
	r.mu.Lock()
	r.turn++ // a watchdog that is still about to bark has the wrong turn now
	cause := r.cause
	r.mu.Unlock()
	switch {
	case cause != nil:
		return &Error{Codec: r.p.name, Reason: cause.Error(), Err: cause}
	case err != nil:
		return r.explain(err)
	}
	return nil
}

// sweep removes what the codec left in the global object.
func (r *Runner) sweep() {
	global := r.vm.GlobalObject()
	for _, name := range global.Keys() {
		_ = global.Delete(name)
	}
}

// explain gives an exception its place in the codec.
func (r *Runner) explain(err error) error {
	e := &Error{Codec: r.p.name, Reason: clip(err.Error()), Err: err}
	var x *goja.Exception
	if errors.As(err, &x) {
		e.Reason, _, _ = strings.Cut(clip(x.Value().String()), "\n")
		for _, f := range x.Stack() {
			if at := f.Position(); f.SrcName() == r.p.name && at.Line > 0 {
				e.Line, e.Column = at.Line, column(at.Line, at.Column)
				break
			}
		}
	}
	var overflow *goja.StackOverflowError
	if errors.As(err, &overflow) {
		e.Reason = fmt.Sprintf("calls nested deeper than %d", maxCalls)
	}
	return e
}

const (
	firstLook = 2 * time.Millisecond
	lookEvery = time.Millisecond
)

// watch interrupts the call of this turn when it breaks a limit, and closes
// stuck when that does not help.
//
// The deadline is counted in processor time of the process, of which the call
// is a part: a machine that stands still, or gives the process no time, must not
// make a message fail that a replay decodes.
func (r *Runner) watch(turn uint64, stuck chan<- struct{}) {
	look := time.NewTicker(lookEvery) // the clock is only a guard: as above
	defer look.Stop()
	start, base := processorTime(), heap()
	for ; ; <-look.C {
		var cause error
		spent, now := processorTime()-start, heap()
		base = min(base, now)
		switch {
		case spent >= r.p.cfg.Deadline:
			cause = ErrDeadline
		case now-base > r.p.cfg.MaxMemory:
			cause = ErrMemory
		}
		if !r.interrupt(turn, cause) {
			return
		}
		if spent >= r.p.cfg.Deadline+giveUp {
			close(stuck)
			return
		}
	}
}

// interrupt stops the call of this turn for a cause, and reports whether it is
// still running.
func (r *Runner) interrupt(turn uint64, cause error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.turn != turn {
		return false
	}
	if cause != nil && r.cause == nil {
		r.cause = cause
		r.vm.Interrupt(cause)
	}
	return true
}

// heap is how many bytes the objects of the process take.
func heap() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
