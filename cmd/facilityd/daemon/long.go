package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"
)

// What takes minutes is asked of the running daemon over the control socket and
// answered line by line: how far it is, and last the answer or what went wrong.

type line[T any] struct {
	Done   uint64 `json:"done,omitempty"`
	Of     uint64 `json:"of,omitempty"`
	Answer *T     `json:"answer,omitempty"`
	Error  string `json:"error,omitempty"`
}

// maxRequest bounds a request: rule files are most of it.
const maxRequest = 64 << 20

// serveLong reads a request, does it, and answers.
func serveLong[T any](w http.ResponseWriter, r *http.Request, request any, do func(progress func(done, of uint64)) (*T, error)) {
	if err := json.NewDecoder(io.LimitReader(r.Body, maxRequest)).Decode(request); err != nil {
		http.Error(w, "read the request: "+err.Error(), http.StatusBadRequest)
		return
	}
	lines, flush, said := json.NewEncoder(w), http.NewResponseController(w), time.Now()
	answer, err := do(func(done, of uint64) {
		if time.Since(said) > 200*time.Millisecond {
			said = time.Now()
			_ = lines.Encode(line[T]{Done: done, Of: of}) // the reader is gone when this fails
			_ = flush.Flush()
		}
	})
	last := line[T]{Answer: answer}
	if err != nil {
		last = line[T]{Error: err.Error()}
	}
	_ = lines.Encode(last)
}

// askLong asks the daemon that runs in a data directory, and waits.
func askLong[T any](ctx context.Context, data, request string, q any, progress func(done, of uint64)) (*T, error) {
	body, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	in, out := io.Pipe()
	defer in.Close()
	go func() { out.CloseWithError(ask(ctx, data, request, body, out)) }()
	for lines := json.NewDecoder(in); ; {
		var l line[T]
		if err := lines.Decode(&l); errors.Is(err, io.EOF) {
			return nil, errors.New("the daemon stopped before it had answered")
		} else if err != nil {
			return nil, err
		}
		switch {
		case l.Error != "":
			return nil, errors.New(l.Error)
		case l.Answer != nil:
			return l.Answer, nil
		case progress != nil:
			progress(l.Done, l.Of)
		}
	}
}
