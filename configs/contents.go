package configs

import (
	"fmt"
	"io/fs"
	"os"

	"github.com/facilityd/facilityd/configs/diag"
)

// DefaultSite is what is watched when no site file is named: every device that
// a shipped profile understands, each as its own asset.
const DefaultSite = "site: site\nname: {en: This site, zh: 本项目}\ntime_zone: UTC\n"

// Shipped are the embedded files of each kind.
type Shipped struct{ Profiles, Rules, Calendars fs.FS }

// ReadContents collects the texts of every site that the settings name. It
// reads files only; Compile checks what is in them.
func ReadContents(s *Settings, shipped Shipped) ([]*Content, diag.List) {
	profiles, list := readFolder(shipped.Profiles, s.Profiles)
	rules, more := readFolder(shipped.Rules, s.Rules)
	list = append(list, more...)
	var out []*Content
	for _, name := range s.Sites {
		data, err := os.ReadFile(name)
		if err != nil {
			list.Add(diag.Diagnostic{File: name, Message: err.Error(), Hint: "sites names the site files"})
			continue
		}
		site := File{name, data}
		used, more := ReadUsed(site, shipped.Calendars)
		list = append(list, more...)
		out = append(out, &Content{Site: site, Used: used, Profiles: profiles, Rules: rules})
	}
	if len(s.Sites) == 0 {
		out = append(out, &Content{Site: File{"default site", []byte(DefaultSite)}, Profiles: profiles, Rules: rules})
	}
	return out, list
}

// Replace puts another site file, with what it uses, in the place of the content's.
func (c *Content) Replace(site File, shipped Shipped) diag.List {
	var list diag.List
	c.Site = site
	c.Used, list = ReadUsed(site, shipped.Calendars)
	return list
}

// BrokersOf returns the brokers to read, each with its site's id filled in.
// sites are the ids of the sites that were loaded.
func (s *Settings) BrokersOf(sites []string) ([]Broker, diag.List) {
	brokers := s.Brokers
	if len(brokers) == 0 {
		brokers = []Broker{s.Broker}
	}
	var list diag.List
	out := make([]Broker, len(brokers))
	for i, b := range brokers {
		known := false
		for _, id := range sites {
			known = known || b.Site == id
		}
		switch {
		case b.Site == "" && len(sites) == 1:
			b.Site = sites[0]
		case b.Site == "":
			list.Add(diag.Diagnostic{Message: fmt.Sprintf("broker %s names no site", b.Name), Hint: diag.DidYouMean("", sites)})
		case !known:
			list.Add(diag.Diagnostic{Message: fmt.Sprintf("broker %s names site %q, which is not loaded", b.Name, b.Site), Hint: diag.DidYouMean(b.Site, sites)})
		}
		out[i] = b
	}
	return out, list
}
