package script

import (
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/dop251/goja"
	"github.com/dop251/goja/parser"
)

// API says which function of a codec is called, and how.
type API string

// The interfaces.
const (
	Auto        API = "auto" // the first of the following that the codec has
	TS013       API = "ts013"
	ChirpStack3 API = "chirpstack3"
	TTN2        API = "ttn2"
)

// APIs are all of them.
var APIs = []API{Auto, TS013, ChirpStack3, TTN2}

// Limits of a codec that a profile cannot change.
const (
	maxSource   = 512 << 10 // bytes
	maxBrackets = 200       // nesting of the source, which the parser recurses into
	maxElements = 1 << 20   // of an array or string that a native function makes
	maxOutput   = 1 << 20   // bytes of JSON
	maxCalls    = 500       // depth of calls
	giveUp      = time.Second
)

// Config of a codec. The zero value has the defaults.
type Config struct {
	API API
	// Deadline is how long one message may take, in processor time; default
	// 250 ms.
	Deadline time.Duration
	// MaxMemory is how much the heap may grow during one message, in bytes;
	// default 64 MiB.
	MaxMemory uint64
}

// An Error is what is wrong with a codec's source or what a codec said about a
// message. Line and Column count from 1; 0 is unknown.
type Error struct {
	Codec  string
	Line   int
	Column int
	Reason string
	Err    error
}

// Error formats the finding as "codec name:line:column: reason".
func (e *Error) Error() string {
	s := "codec " + e.Codec + ": "
	if e.Line > 0 {
		s = fmt.Sprintf("codec %s:%d:%d: ", e.Codec, e.Line, e.Column)
	}
	return s + e.Reason
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Causes that callers may want to tell apart.
var (
	ErrDeadline = errors.New("takes longer than its deadline")
	ErrMemory   = errors.New("takes more memory than it may")
	// ErrDead is the cause after a codec could not be interrupted.
	ErrDead = errors.New("codec was given up and is not run again")
)

// A Program is a checked codec. It is immutable but for the mark of death, and
// may be shared; each Runner has its own engine.
type Program struct {
	name    string
	cfg     Config
	factory *goja.Program
	extends bool // the codec adds to built-in objects
	dead    *atomic.Bool
}

// opening stands before the source on its first line.
const opening = "(function(module,exports){"

//go:embed prelude.js
var preludeSource string

var prelude = goja.MustCompile("prelude.js", preludeSource, true)

// extension finds codecs that add methods to built-in objects, an old habit.
// They get built-ins that are not frozen, and a new engine for each message.
var extension = regexp.MustCompile(`\b(Array|Boolean|Date|Error|Function|JSON|Math|Number|Object|RegExp|String|\w+Array|DataView|ArrayBuffer)(\.prototype)?(\.\w+|\[[^\]]*\])\s*=[^=]` +
	`|\bdefineProperty\s*\(\s*(Array|Boolean|Date|Error|Function|Number|String|Object)\.prototype`)

// Compile parses a codec, runs its top level once within the limits and makes
// sure that it has the function of its API.
func Compile(name, source string, cfg Config) (*Program, error) {
	if cfg.API == "" {
		cfg.API = Auto
	}
	if cfg.Deadline <= 0 {
		cfg.Deadline = 250 * time.Millisecond
	}
	if cfg.MaxMemory == 0 {
		cfg.MaxMemory = 64 << 20
	}
	p := &Program{name: name, cfg: cfg, dead: new(atomic.Bool), extends: extension.MatchString(source)}
	if err := p.check(source); err != nil {
		return nil, err
	}
	// The codec is the body of a function, so that its top level can run anew for
	// each message. It starts on the first line, which keeps positions right.
	wrapped := opening + source + "\n;return{" +
		"decodeUplink:typeof decodeUplink==='function'?decodeUplink:null," +
		"Decode:typeof Decode==='function'?Decode:null," +
		"Decoder:typeof Decoder==='function'?Decoder:null}})"
	factory, err := goja.Compile(name, wrapped, false)
	if err != nil {
		return nil, p.position(err)
	}
	p.factory = factory
	r, err := p.NewRunner()
	if err != nil {
		return nil, err
	}
	ok, err := r.has()
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, &Error{Codec: name, Reason: fmt.Sprintf("no function for api %q", cfg.API)}
	}
	return p, nil
}

func (p *Program) check(source string) error {
	switch p.cfg.API {
	case Auto, TS013, ChirpStack3, TTN2:
	default:
		return &Error{Codec: p.name, Reason: fmt.Sprintf("api %q is not known, one of: %v", p.cfg.API, APIs)}
	}
	if len(source) > maxSource {
		return &Error{Codec: p.name, Reason: fmt.Sprintf("source of %d bytes, at most %d", len(source), maxSource)}
	}
	depth := 0
	for i := range len(source) {
		switch source[i] {
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			depth = max(0, depth-1)
		}
		if depth > maxBrackets {
			return &Error{Codec: p.name, Line: 1 + strings.Count(source[:i], "\n"), Reason: fmt.Sprintf("brackets nested deeper than %d", maxBrackets)}
		}
	}
	if _, err := parser.ParseFile(nil, p.name, source, 0, parser.WithDisableSourceMaps); err != nil {
		return p.position(err)
	}
	return nil
}

// position takes line and column out of the engine's errors.
func (p *Program) position(err error) error {
	var list parser.ErrorList
	if errors.As(err, &list) && len(list) > 0 {
		e := list[0]
		return &Error{Codec: p.name, Line: e.Position.Line, Column: e.Position.Column, Reason: e.Message, Err: err}
	}
	var syntax *goja.CompilerSyntaxError
	if errors.As(err, &syntax) && syntax.File != nil {
		at := syntax.File.Position(syntax.Offset)
		return &Error{Codec: p.name, Line: at.Line, Column: column(at.Line, at.Column), Reason: syntax.Message, Err: err}
	}
	return &Error{Codec: p.name, Reason: err.Error(), Err: err}
}

// column takes the opening off a column of the first line.
func column(line, column int) int {
	if line == 1 {
		return max(1, column-len(opening))
	}
	return column
}
