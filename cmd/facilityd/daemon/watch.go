package daemon

import (
	"context"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// quiet is how long files must have stopped changing before they are read: an
// editor writes in several steps, a deployment copies several files.
const quiet = time.Second

// watch reloads when site files, profiles, rules or the people file change on disk. Directories
// are watched, because editors replace files.
func (d *Daemon) watch(ctx context.Context) error {
	s := &d.opts.Settings
	dirs := map[string]bool{}
	for _, file := range s.Sites {
		dirs[filepath.Dir(file)] = true
	}
	if s.People != "" {
		dirs[filepath.Dir(s.People)] = true
	}
	for _, b := range d.bundles {
		for _, f := range b.Content.Used {
			if !strings.HasPrefix(f.Name, "shipped/") {
				dirs[filepath.Dir(f.Name)] = true
			}
		}
	}
	for _, dir := range []string{s.Profiles.Dir, s.Rules.Dir} {
		if dir != "" {
			dirs[dir] = true
		}
	}
	if len(dirs) == 0 || d.opts.Content != nil {
		return nil
	}
	w, err := fsnotify.NewWatcher()
	if err != nil {
		d.log.Warn("changed files are not noticed; use facilityd reload", "error", err)
		return nil
	}
	defer w.Close()
	for dir := range dirs {
		if err := w.Add(dir); err != nil {
			d.log.Warn("changed files are not noticed; use facilityd reload", "directory", dir, "error", err)
		}
	}
	due := time.NewTimer(time.Hour)
	due.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-w.Events:
			if !ok {
				return nil
			}
			if ext := filepath.Ext(e.Name); (ext == ".yaml" || ext == ".yml" || ext == ".js") && !e.Has(fsnotify.Chmod) {
				due.Reset(quiet)
			}
		case err := <-w.Errors:
			d.log.Warn("changed files may go unnoticed; use facilityd reload", "error", err)
		case <-due.C:
			_ = d.Reload(ctx) // said in the log, on the board and as a metric
		}
	}
}
