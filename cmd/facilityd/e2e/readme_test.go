package e2e

import (
	"bufio"
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/facilityd/facilityd/devices/mqtt/mosquittotest"
)

const root = "../../.."

// A block is a fenced block of a page.
type block struct {
	lang string
	text string
}

func blocks(page []byte) (all []block) {
	var in *block
	for lines := bufio.NewScanner(bytes.NewReader(page)); lines.Scan(); {
		line := lines.Text()
		switch lang, fence := strings.CutPrefix(line, "```"); {
		case fence && in == nil:
			in = &block{lang: lang}
		case fence:
			all = append(all, *in)
			in = nil
		case in != nil:
			in.text += line + "\n"
		}
	}
	return all
}

// TestReadmeTellsTheTruth does what the README says, as its reader would: its
// files are written where its commands are run, one after the other. What names
// other machines or fixed ports is turned to the test's own by the environment.
func TestReadmeTellsTheTruth(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(page, []byte("\n")); n >= 150 {
		t.Errorf("the README has %d lines: what is beyond two screens belongs into a guide", n)
	}
	dir := write(t, map[string]string{"broker-password": "secret\n", "influxdb-token": "secret\n"})
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	absolute, err := filepath.Abs(program)
	if err == nil {
		err = os.Symlink(absolute, filepath.Join(dir, "bin", "facilityd"))
	}
	if err != nil {
		t.Fatal(err)
	}
	config := ""
	for _, b := range blocks(page) {
		name, named := strings.CutPrefix(b.text, "# ")
		if name, _, _ = strings.Cut(name, "\n"); named && b.lang != "sh" {
			name, _, _ = strings.Cut(name, ":")
			writeIn(t, dir, map[string]string{name: b.text})
		}
		if b.lang == "conf" {
			config = b.text
		}
	}
	broker := mosquittotest.Start(t, mosquittotest.Options{Config: config})
	t.Setenv("PATH", filepath.Join(dir, "bin")+string(os.PathListSeparator)+os.Getenv("PATH"))
	// The file stays as it is printed; only where it points to is the test's.
	own := []string{"FACILITYD_BROKER_URL=" + broker.URL(), "FACILITYD_LISTEN=127.0.0.1:0"}

	var d *Daemon
	shell := func(line string, env ...string) {
		t.Helper()
		cmd := exec.Command("sh", "-c", line)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", line, err, out)
		}
	}
	ran := 0
	for _, b := range blocks(page) {
		if b.lang != "sh" {
			continue
		}
		for line := range strings.Lines(b.text) {
			line, _, _ = strings.Cut(line, "  #")
			line = strings.TrimSpace(line)
			ran++
			switch words := strings.Fields(line); {
			case strings.HasPrefix(line, "go run ./cmd/facilityd demo"):
				demo := Start(t, program, append(words[3:], "--listen", "127.0.0.1:0", "--mqtt", "127.0.0.1:0", "--data", t.TempDir())...)
				demo.Until("the demo has its first order", func() bool {
					return len(All[orderView](demo, "/api/v1/work-orders", nil)) > 0
				})
				if err := demo.Stop(); err != nil {
					t.Errorf("%s ended with %v", line, err)
				}
			case words[0] == "make":
				makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
				if err != nil || !regexp.MustCompile(`(?m)^`+words[1]+`:`).Match(makefile) {
					t.Errorf("%s: the Makefile has no such target (%v)", line, err)
				}
			case strings.HasPrefix(line, "facilityd run "):
				for _, kv := range own {
					name, value, _ := strings.Cut(kv, "=")
					t.Setenv(name, value)
				}
				t.Chdir(dir)
				d = Start(t, filepath.Join(dir, "bin", "facilityd"), words[1:]...)
			case strings.HasPrefix(line, "facilityd order "):
				shell(line + " --url " + d.Address("board"))
			case words[0] == "facilityd":
				shell(line)
			default:
				t.Errorf("no test runs %q", line)
			}
		}
	}
	if ran < 9 || d == nil {
		t.Errorf("only %d commands were found in the README", ran)
	}
	if _, err := os.Stat(filepath.Join(dir, "restored", "orders.db")); err != nil {
		t.Errorf("nothing was restored: %v", err)
	}
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// TestLinksOfPagesResolve follows every relative link of every page of the
// repository.
func TestLinksOfPagesResolve(t *testing.T) {
	pages, links := 0, 0
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && (e.Name() == ".git" || e.Name() == "node_modules") {
			return fs.SkipDir
		}
		if e.IsDir() || filepath.Ext(path) != ".md" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		pages++
		for _, m := range link.FindAllSubmatch(text, -1) {
			target, _, _ := strings.Cut(string(m[1]), "#")
			if target == "" || strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			links++
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), target)); err != nil {
				t.Errorf("%s: %s leads nowhere", path, m[1])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if pages < 3 || links < 10 {
		t.Errorf("%d links on %d pages: where are the others?", links, pages)
	}
}
