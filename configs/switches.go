package configs

import (
	"fmt"
	"slices"

	"github.com/facilityd/facilityd/configs/diag"
	"github.com/facilityd/facilityd/configs/diag/document"
	"github.com/facilityd/facilityd/devices"
	"github.com/facilityd/facilityd/rules"
)

// ruleSwitches turn rules on and off on a site by id. Of the shipped rules the core
// is on; the others wait for this.
type ruleSwitches struct {
	Enable  []string `yaml:"enable"`
	Disable []string `yaml:"disable"`
}

// switchRules does what the site file says about its rules.
func switchRules(site *devices.Site, file File, set *rules.Set) diag.List {
	if set == nil {
		return nil
	}
	var list diag.List
	places := document.Places(file.Data)
	each := func(path string, ids []string, on bool) {
		for k, id := range ids {
			at := places[fmt.Sprintf("rules.%s[%d]", path, k)]
			switch {
			case on && slices.Contains(site.DisableRules, id):
				list.Add(at.Error(file.Name, fmt.Sprintf("rule %q is enabled and disabled", id), "leave one of the two out"))
			case !set.Switch(id, on):
				list.Add(at.Error(file.Name, fmt.Sprintf("there is no rule %q", id), diag.DidYouMean(id, set.IDs())))
			}
		}
	}
	each("enable", site.EnableRules, true)
	each("disable", site.DisableRules, false)
	return list
}
