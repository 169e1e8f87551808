package e2e

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// TestTheDemoFillsItsBoard looks at the demo's board as a visitor does. With
// E2E_PICTURE=FILE it leaves the picture of the README there (make screenshot).
func TestTheDemoFillsItsBoard(t *testing.T) {
	picture, speed := os.Getenv("E2E_PICTURE"), "600"
	if picture != "" {
		speed = "120" // every fault of the estate is young in the picture
	}
	const enough = 6
	accepted := map[string]bool{}
	d := Start(t, program, "demo", "--listen", "127.0.0.1:0", "--mqtt", "127.0.0.1:0", "--data", t.TempDir(), "--speed", speed)
	d.Until("the board is full", func() bool {
		orders := All[orderView](d, "/api/v1/work-orders", nil)
		for _, o := range orders { // the technician on loopback takes every other one
			if o.State == "open" && len(accepted)*2 < len(orders) && !accepted[o.ID] {
				accepted[o.ID] = true
				if resp, body := d.Command(o.ID, "accept", o.ID, map[string]any{"version": o.Version}); resp.StatusCode != 200 {
					t.Fatalf("accept: %s\n%s", resp.Status, body)
				}
			}
		}
		return len(orders) >= enough
	})

	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("no Chromium on this machine: apt-get install chromium")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("hide-scrollbars", true), chromedp.WSURLReadTimeout(time.Minute))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), opts...)
	defer cancel()
	ctx, cancel = chromedp.NewContext(ctx)
	defer cancel()
	ctx, cancel = context.WithTimeout(ctx, patience)
	defer cancel()
	var shown int
	var png []byte
	if err := chromedp.Run(ctx,
		emulation.SetDeviceMetricsOverride(1280, 900, 1, false),
		emulation.SetUserAgentOverride("test").WithAcceptLanguage("en"),
		chromedp.Navigate(d.Address("board")),
		chromedp.WaitReady("main"),
		chromedp.Evaluate(`document.querySelectorAll('main a[href^="/orders/"]').length`, &shown),
		chromedp.ActionFunc(func(ctx context.Context) (err error) {
			png, err = page.CaptureScreenshot().Do(ctx)
			return err
		}),
	); err != nil {
		t.Fatal(err)
	}
	if shown < enough {
		t.Errorf("the board shows %d orders of at least %d", shown, enough)
	}
	if picture == "" {
		return
	}
	if err := os.WriteFile(picture, png, 0o644); err != nil {
		t.Fatal(err)
	}
	if len(png) > 300<<10 {
		t.Errorf("%s has %d bytes: too much for a README", picture, len(png))
	}
}
