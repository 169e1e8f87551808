package detect_test

import (
	"testing"
	"time"

	"github.com/facilityd/facilityd/rules/detect"
)

func TestReasonsReadAsSentences(t *testing.T) {
	since := time.Date(2026, 3, 1, 2, 14, 0, 0, time.UTC).UnixNano()
	names := detect.Naming{Points: []string{"flow", "temperature", "vibration"}, Unit: "m³/h"}
	fell := detect.Reason{
		Aspect: detect.Level, Current: 5.93, Normal: 11.82, Margin: 0.61, Since: since,
		Channel: 0, Carried: 1<<0 | 1<<2, Discounted: 1 << 1,
	}
	tests := []struct {
		name   string
		reason detect.Reason
		lang   detect.Lang
		want   string
	}{
		{
			"channels", fell, detect.English,
			"flow fell to 5.93 m³/h; normal 11.82 ± 0.61 m³/h; since 2026-03-01 02:14; with vibration; discounted because of drift: temperature",
		},
		{
			"channels in Chinese", fell, detect.Chinese,
			"flow降至 5.93 m³/h；正常 11.82 ± 0.61 m³/h；自 2026-03-01 02:14 起；同时异常：vibration；因漂移未采信：temperature",
		},
		{"nothing", detect.Reason{}, detect.English, "nothing odd"},
		{"shape has no level", detect.Reason{Aspect: detect.Shape, Current: 1}, detect.English, "flow does not follow its usual course of the day"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.reason.Text(tt.lang, names); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestTextWithoutUnitLeavesNoGap(t *testing.T) {
	r := detect.Reason{Aspect: detect.Level, Current: 40, Normal: 20, Margin: 2}
	const want = "load rose to 40.0; normal 20.0 ± 2.0"
	if got := r.Text(detect.English, detect.Naming{Points: []string{"load"}}); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Every aspect has its sentence in every language, so that no reason is told as nothing.
func TestEveryAspectHasText(t *testing.T) {
	for a := detect.None; a <= detect.Invalid; a++ {
		for _, lang := range []detect.Lang{detect.English, detect.Chinese} {
			for _, current := range []float64{-1, 1} {
				r := detect.Reason{Aspect: a, Current: current}
				if r.Text(lang, detect.Naming{}) == "" {
					t.Errorf("aspect %v has no %s text", a, lang)
				}
			}
		}
	}
}
