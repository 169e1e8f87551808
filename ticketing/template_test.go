package ticketing

import (
	"errors"
	"slices"
	"testing"

	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/rules"
)

func TestMeasuredValueIsHeldAgainstTheChecklistInEitherLanguage(t *testing.T) {
	least, most := 7.0, 10.0
	tpl := &Template{Checklist: []Check{
		{Text: devices.Label{EN: "Lock engagement", ZH: "啮合长度"}, Unit: "mm", Min: &least},
		{Text: devices.Label{EN: "Levelling", ZH: "平层精度"}, Unit: "mm", Max: &most},
	}}
	for _, x := range []struct {
		m    Measurement
		want bool
	}{
		{Measurement{"Lock engagement", 6.9, "mm"}, true}, {Measurement{" 啮合长度", 6.9, ""}, true}, {Measurement{"Lock engagement", 7, "mm"}, false},
		{Measurement{"Lock engagement", 0.7, "cm"}, false}, {Measurement{"Levelling", 10.5, "mm"}, true}, {Measurement{"Something else", 99, "mm"}, false},
	} {
		if got := tpl.Outside(&x.m); got != x.want {
			t.Errorf("%+v outside: %v", x.m, got)
		}
	}
	if (*Template)(nil).Outside(&Measurement{}) {
		t.Error("without a template there is no limit")
	}
}

// Each item that the job is not finished without and that is to be shown needs a
// picture of this visit.
func TestEveryKeyItemThatIsShownNeedsItsPicture(t *testing.T) {
	tpl := &Template{Checklist: []Check{{Key: true, Photo: true}, {Key: true}, {Photo: true}, {Key: true, Photo: true}}}
	o := &Order{}
	first := step(1, rules.Active, rules.Medium)
	apply(t, o, Receive(nil, nil, &first, "", 1, minute(1))...)
	done := Command{Verb: DoDone, By: "li.na", Key: "1", Version: 1, Arrived: minute(10), Reason: "still spins down"}
	for photos := range 3 {
		_, err := Decide(o, &done, tpl, nil)
		var lacks *LacksError
		if errors.As(err, &lacks) != (photos < 2) || lacks != nil && !slices.Equal(lacks.Lacks, []string{"photo", "photo"}[photos:]) {
			t.Errorf("with %d photos: %v", photos, err)
		}
		apply(t, o, Entry{Version: o.Version + 1, Kind: Attach, At: minute(5), Arrived: minute(5), By: "li.na", Detail: Detail{Attachment: &Attachment{Role: "photo"}}})
	}
}
