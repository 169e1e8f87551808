package board_test

import (
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/facilityd/facilityd/rules"
	"github.com/facilityd/facilityd/ticketing"
	"github.com/facilityd/facilityd/ticketing/calendar"
)

var screenshots = flag.String("screenshots", "", "folder to leave pictures of the pages in")

// A browser is a real Chromium.
type browser struct {
	*testing.T
	alloc context.Context
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("no Chromium on this machine: apt-get install chromium")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.WSURLReadTimeout(time.Minute))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), opts...)
	t.Cleanup(cancel)
	return &browser{T: t, alloc: ctx}
}

// A tab is a page with the errors that it had.
type tab struct {
	*browser
	ctx    context.Context
	mu     sync.Mutex
	errors []string
}

func (b *browser) tab(width, height int64, lang string, dark bool) *tab {
	b.Helper()
	ctx, cancel := chromedp.NewContext(b.alloc, chromedp.WithErrorf(func(string, ...any) {}))
	b.Cleanup(cancel)
	ctx, stop := context.WithTimeout(ctx, 2*time.Minute)
	b.Cleanup(stop)
	p := &tab{browser: b, ctx: ctx}
	chromedp.ListenTarget(ctx, func(ev any) {
		p.mu.Lock()
		defer p.mu.Unlock()
		switch ev := ev.(type) {
		case *log.EventEntryAdded:
			if ev.Entry.Level == log.LevelError {
				p.errors = append(p.errors, ev.Entry.Text+" "+ev.Entry.URL)
			}
		case *runtime.EventExceptionThrown:
			p.errors = append(p.errors, ev.ExceptionDetails.Error())
		}
	})
	if err := chromedp.Run(ctx); err != nil { // the tab lives as long as this first context
		b.Fatal(err)
	}
	media := "light"
	if dark {
		media = "dark"
	}
	p.run(
		log.Enable(),
		emulation.SetDeviceMetricsOverride(width, height, 2, width < 600),
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: media}}),
		emulation.SetUserAgentOverride("test").WithAcceptLanguage(lang),
	)
	return p
}

func (p *tab) run(actions ...chromedp.Action) {
	p.Helper()
	for i, a := range actions {
		ctx, cancel := context.WithTimeout(p.ctx, 30*time.Second)
		err := chromedp.Run(ctx, a)
		cancel()
		if err != nil {
			var text string
			_ = chromedp.Run(p.ctx, chromedp.Evaluate(`document.body.innerText`, &text))
			p.Fatalf("action %d: %v on the page\n%s\n%v", i+1, err, text, p.errors)
		}
	}
}

// untranslated finds keys of the catalogue that show themselves.
var untranslated = regexp.MustCompile(`\b(app|nav|orders?|state|tier|kind|reason|via|quality|availability|phase|devices|class|skill|episodes|accounting|figures|code|status|login|error|time|severity|chart|banner|template|explain|windows|outbox|oncall|weekday|message|invalid)\.[a-z_A-Z0-9]+\b|%!`)

// sound checks what must be true of every page: nothing sticks out of the
// screen, every text has its translation, nothing was refused or failed, and
// what a thumb has to hit is large enough.
func (p *tab) sound(path string) {
	p.Helper()
	var text string
	var wide []string
	var small []string
	p.run(
		chromedp.Evaluate(`document.body.innerText`, &text),
		chromedp.Evaluate(`document.documentElement.scrollWidth <= innerWidth ? [] : [...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".scroll")).map(e => e.tagName + "." + e.className).slice(0, 5)`, &wide),
		chromedp.Evaluate(`[...document.querySelectorAll("main button, main select, main textarea, .tabs a")].filter(e => e.checkVisibility()).filter(e => e.getBoundingClientRect().height < 36).map(e => e.tagName + " " + e.innerText)`, &small),
	)
	if key := untranslated.FindString(text); key != "" {
		p.Errorf("%s shows %q", path, key)
	}
	if len(wide) > 0 {
		p.Errorf("%s is wider than the screen: %s", path, wide)
	}
	if len(small) > 0 {
		p.Errorf("%s has targets too small for a thumb: %s", path, small)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.errors) > 0 {
		p.Errorf("%s: %s", path, p.errors)
	}
}

func (p *tab) picture(name string) {
	p.Helper()
	if *screenshots == "" {
		return
	}
	var png []byte
	p.run(chromedp.FullScreenshot(&png, 100))
	if err := os.MkdirAll(*screenshots, 0o755); err != nil {
		p.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*screenshots, name+".png"), png, 0o644); err != nil {
		p.Fatal(err)
	}
}

func TestPagesFitEveryScreenInBothLanguages(t *testing.T) {
	s := newSample(t, sampleConfig{})
	s.tellAll()
	s.live.status.ReloadError = "rules/pumps.yaml:12:3: error: unknown key \"fro\" (did you mean \"for\"?)"
	s.live.status.ReloadAt = now.Add(-90 * time.Second)
	p := ticketing.DefaultPolicy()
	if _, err := s.store.Warn(t.Context(), "demo", 1, now, &p, calendar.Always()); err != nil { // logs tell of deadlines
		t.Fatal(err)
	}
	b := newBrowser(t)
	type screen struct {
		name          string
		width, height int64
		dark          bool
	}
	screens := []screen{{"phone", 360, 740, false}, {"desktop-dark", 1280, 900, true}}
	if *screenshots != "" {
		screens = append(screens, screen{"phone-dark", 390, 844, true}, screen{"desktop", 1280, 900, false})
	}
	for _, screen := range screens {
		for _, lang := range []string{"en", "zh-CN"} {
			p := b.tab(screen.width, screen.height, lang, screen.dark)
			for _, page := range []struct{ name, path string }{
				{"orders", "/"}, {"order", "/orders/demo-1"}, {"entrapment", "/orders/demo-2"}, {"waiting", "/orders/demo-4"}, {"done", "/orders/demo-7"}, {"consequences", "/orders/demo-6"}, {"all", "/?tab=all"},
				{"devices", "/devices"}, {"device", "/devices/demo/pump-1"}, {"episodes", "/episodes"},
				{"windows", "/windows"}, {"why", "/why/demo/pump-1"}, {"why-rule", "/why/demo/pump-1?rule=motor-overload"}, {"why-past", "/why/demo/demo-1?at=2026-03-02T14:20"}, {"status", "/status"}, {"on-call", "/on-call"}, {"messages", "/messages"}, {"accounting", "/accounting"}, {"figures", "/figures"}, {"figures-before", "/figures?month=2026-02"}, {"login", "/login"},
			} {
				p.run(chromedp.Navigate(s.server.URL+page.path), chromedp.WaitReady("footer", chromedp.ByQuery))
				var got string
				p.run(chromedp.Evaluate(`document.documentElement.lang`, &got))
				if !strings.HasPrefix(lang, strings.SplitN(got, "-", 2)[0]) {
					t.Errorf("%s is in %s for a reader of %s", page.path, got, lang)
				}
				p.sound(screen.name + " " + lang + " " + page.path)
				p.picture(screen.name + "-" + lang + "-" + page.name)
			}
		}
	}
}

func TestEmptyEstateSaysWhatWillHappen(t *testing.T) {
	s := newSample(t, sampleConfig{empty: true})
	p := newBrowser(t).tab(390, 844, "en", false)
	for path, want := range map[string]string{"/": "Nothing is open.", "/episodes": "No episode yet.", "/figures": "No orders were opened in this month.", "/nothing": "There is nothing at this address."} {
		var text string
		p.run(chromedp.Navigate(s.server.URL+path), chromedp.Text("main", &text, chromedp.ByQuery))
		if !strings.Contains(text, want) {
			t.Errorf("%s says %q", path, text)
		}
		p.picture("empty" + strings.ReplaceAll(path, "/", "-"))
	}
}

// The way of an order through the hands of the technician of the demo, with
// nothing but a browser.
func TestTechnicianTakesAnOrderToDoneInTheBrowser(t *testing.T) {
	s := newSample(t, sampleConfig{})
	p := newBrowser(t).tab(390, 844, "en", false)
	state := func(want string) chromedp.Action {
		return chromedp.WaitVisible(`//div[contains(@class,"order-head")]//span[contains(@class,"state")][.="` + want + `"]`)
	}
	p.run(
		chromedp.Navigate(s.server.URL+"/"),
		chromedp.Click(`.order a[href="/orders/demo-1"]`, chromedp.ByQuery),
		state("Open"),
		chromedp.Click(`form[action$="/accept"] button`, chromedp.ByQuery),
		state("Accepted"),
		chromedp.Click(`form[action$="/arrive"] button`, chromedp.ByQuery),
		state("On site"),
		chromedp.Click(`//summary[.="Add a note"]`),
		chromedp.SendKeys(`form[action$="/note"] textarea`, "Impeller blocked by a rag", chromedp.ByQuery),
		chromedp.Click(`form[action$="/note"] button`, chromedp.ByQuery),
		chromedp.WaitVisible(`//p[@class="said"][.="Impeller blocked by a rag"]`),
		// The fault still holds: that is said at once, and nothing typed is lost.
		chromedp.Click(`//summary[.="Report done"]`),
		chromedp.SetValue(`form[action$="/done"] select[name=code]`, "repaired", chromedp.ByQuery),
		chromedp.SendKeys(`form[action$="/done"] textarea[name=text]`, "Rag removed", chromedp.ByQuery),
		chromedp.Click(`form[action$="/done"] button`, chromedp.ByQuery),
		chromedp.WaitVisible(`#refused`, chromedp.ByQuery),
		state("On site"),
	)
	var said, kept string
	p.run(chromedp.Text("#refused", &said, chromedp.ByQuery), chromedp.Value(`form[action$="/done"] textarea[name=text]`, &kept, chromedp.ByQuery))
	if !strings.Contains(said, "still holds") || kept != "Rag removed" {
		t.Errorf("refused with %q, kept %q", said, kept)
	}
	p.picture("still-holds")
	p.mu.Lock()
	p.errors = nil // Chromium logs the status 409 of the form as an error
	p.mu.Unlock()
	photo := filepath.Join(t.TempDir(), "photo.png")
	if err := os.WriteFile(photo, png, 0o600); err != nil {
		t.Fatal(err)
	}
	p.run(
		chromedp.Click(`//summary[.="Photo or signature"]`),
		chromedp.SetUploadFiles(`input[type=file]`, []string{photo}, chromedp.ByQuery),
		chromedp.Click(`form[action$="/attach"] button`, chromedp.ByQuery),
		chromedp.WaitVisible(`.file img`, chromedp.ByQuery),
		chromedp.Click(`//summary[.="Report done"]`),
		chromedp.SetValue(`form[action$="/done"] select[name=code]`, "repaired", chromedp.ByQuery),
		chromedp.SendKeys(`form[action$="/done"] textarea[name=text]`, "Rag removed", chromedp.ByQuery),
		chromedp.SendKeys(`form[action$="/done"] textarea[name=reason]`, "Current falls, watching", chromedp.ByQuery),
		chromedp.Click(`form[action$="/done"] button`, chromedp.ByQuery),
		state("Done"),
	)
	p.sound("/orders/demo-1")
	p.picture("taken-to-done")
}

func TestOpenPageShowsNewOrdersAndKeepsWhatIsBeingTyped(t *testing.T) {
	s := newSample(t, sampleConfig{empty: true})
	b := newBrowser(t)
	list := b.tab(390, 844, "en", false)
	list.run(chromedp.Navigate(s.server.URL+"/"), chromedp.WaitVisible(".empty", chromedp.ByQuery))
	s.raise("pump-1", "motor.overload", rules.High, 0, overload())
	list.run(chromedp.WaitVisible(`a[href="/orders/demo-1"]`, chromedp.ByQuery))

	one := b.tab(390, 844, "en", false)
	one.run(
		chromedp.Navigate(s.server.URL+"/orders/demo-1"),
		chromedp.Click(`//summary[.="Add a note"]`),
		chromedp.SendKeys(`form[action$="/note"] textarea`, "half a sent", chromedp.ByQuery),
	)
	s.raise("lift-1", "lift.entrapment", rules.Critical, 0, trapped())
	list.run(chromedp.WaitVisible(`a[href="/orders/demo-2"]`, chromedp.ByQuery))
	var typed string
	one.run(
		chromedp.SendKeys(`form[action$="/note"] textarea`, "ence", chromedp.ByQuery),
		chromedp.Value(`form[action$="/note"] textarea`, &typed, chromedp.ByQuery),
	)
	if typed != "half a sentence" {
		t.Errorf("the note became %q", typed)
	}
	list.sound("/")
}

func TestLanguageSwitchStays(t *testing.T) {
	s := newSample(t, sampleConfig{})
	p := newBrowser(t).tab(1280, 900, "en", false)
	var title string
	p.run(
		chromedp.Navigate(s.server.URL+"/devices"),
		chromedp.Click(`.langs button[value=zh]`, chromedp.ByQuery),
		chromedp.WaitVisible(`//h1[.="设备"]`),
		chromedp.Navigate(s.server.URL+"/"),
		chromedp.Text("h1", &title, chromedp.ByQuery),
	)
	if title != "工单" {
		t.Errorf("the list is headed %q", title)
	}
}

// A window is planned and ended with a thumb, and a mistake loses nothing typed.
func TestWindowIsPlannedInTheBrowser(t *testing.T) {
	s := newSample(t, sampleConfig{})
	p := newBrowser(t).tab(390, 844, "en", false)
	var reason, text string
	p.run(
		chromedp.Navigate(s.server.URL+"/devices"),
		chromedp.Click(`a[href="/windows"]`, chromedp.ByQuery),
		chromedp.Click(`//summary[.="Plan a window"]`),
		chromedp.SendKeys(`input[name=asset]`, "lift-9", chromedp.ByQuery),
		chromedp.SendKeys(`input[name=reason]`, "New ropes", chromedp.ByQuery),
		chromedp.Click(`form[action="/windows"] button`, chromedp.ByQuery),
		chromedp.WaitVisible(`#refused`, chromedp.ByQuery),
		chromedp.Value(`input[name=reason]`, &reason, chromedp.ByQuery),
		chromedp.SetValue(`input[name=asset]`, "lift-1", chromedp.ByQuery),
		chromedp.Click(`form[action="/windows"] button`, chromedp.ByQuery),
		chromedp.WaitVisible(`//li[contains(@class,"w-open")]//p[.="New ropes"]`),
		chromedp.Click(`//li[.//p[.="New ropes"]]//button`),
		chromedp.WaitVisible(`//li[contains(@class,"w-over")]//p[.="New ropes"]`),
		chromedp.Navigate(s.server.URL+"/devices/demo/pump-1"),
		chromedp.Text("main", &text, chromedp.ByQuery),
	)
	if reason != "New ropes" {
		t.Errorf("the reason became %q", reason)
	}
	for _, want := range []string{"Pending", "Kept back", "Li Na has planned work", "It is off until somebody gives"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page of the device does not say %q:\n%s", want, text)
		}
	}
	p.mu.Lock()
	p.errors = nil // Chromium logs the status 404 of the form as an error
	p.mu.Unlock()
	p.sound("/devices/demo/pump-1")
}
