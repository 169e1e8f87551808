package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// A test message really goes out, and what the service answers is said in words.
func TestNotifyTestSendsAndSaysWhatBecameOfIt(t *testing.T) {
	var mu sync.Mutex
	var titles []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		body := new(bytes.Buffer)
		_, _ = body.ReadFrom(r.Body)
		switch {
		case r.Header.Get("Authorization") != "Bearer tk_good":
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `{"code":40301,"http":403,"error":"forbidden"}`)
		case strings.Contains(body.String(), `"topic":"busy"`):
			w.Header().Set("Retry-After", "30")
			w.WriteHeader(http.StatusTooManyRequests)
		default:
			titles = append(titles, body.String())
			fmt.Fprint(w, `{"id":"x"}`)
		}
	}))
	defer s.Close()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"facilityd.yaml": "people: people.yaml\n",
		"token":          "tk_good\n",
		"people.yaml": `channels:
  - {name: push, type: ntfy, url: "` + s.URL + `", token_file: token}
  - {name: shut, type: ntfy, url: "` + s.URL + `", token: tk_bad}
persons:
  - {id: anna, name: Anna, lang: zh, contacts: [{channel: push, address: anna}, {channel: shut, address: anna}]}
  - {id: ben, contacts: [{channel: push, address: busy}]}
escalation: [{steps: [{person: anna}, {person: ben, after: 5m}]}]
`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(args ...string) (string, error) {
		cmd := rootCommand()
		var out bytes.Buffer
		cmd.SetOut(&out)
		cmd.SetErr(&out)
		cmd.SetArgs(append([]string{"notify", "test", "-c", filepath.Join(dir, "facilityd.yaml")}, args...))
		err := cmd.ExecuteContext(t.Context())
		return out.String(), err
	}
	out, err := run("anna")
	if err == nil || out != "Anna over push to anna: taken\nAnna over shut to anna: refused, the next contact would be tried: forbidden\n" {
		t.Errorf("%v\n%s", err, out)
	}
	if len(titles) != 1 || !strings.Contains(titles[0], "facilityd 测试消息") {
		t.Errorf("sent %q", titles)
	}
	if out, err = run("--channel", "push"); err != nil || out != "Anna over push to anna: taken\n" {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err = run("ben"); err == nil || out != "ben over push to busy: not now, the service wants to be left alone for 30s: Too Many Requests\n" {
		t.Errorf("%v\n%s", err, out)
	}
}
