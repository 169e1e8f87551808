package configs

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/facilityd/facilityd/configs/diag"
	"github.com/facilityd/facilityd/configs/diag/document"
)

// check tells what is wrong with settings that were read.
func (e *Effective) check(places map[string]document.Pos) diag.List {
	var list diag.List
	bad := func(key, message, hint string) {
		d := diag.Diagnostic{File: e.Origins[key], Message: key + ": " + message, Hint: hint}
		if p, ok := places[key]; ok && (e.Origins[key] == "" || strings.HasPrefix(e.Origins[key], e.File+":")) {
			d.File, d.Line, d.Column = e.File, p.Line, p.Column
		}
		list.Add(d)
	}
	oneOf := func(key, value string, words ...string) {
		if !slices.Contains(words, value) {
			bad(key, fmt.Sprintf("found %q", value), diag.DidYouMean(value, words))
		}
	}
	oneOf("language", e.Language, "en", "zh")
	oneOf("log.format", e.Log.Format, "text", "json")
	oneOf("log.level", e.Log.Level, "debug", "info", "warn", "error")
	oneOf("clock.kind", e.Clock.Kind, "machine", "estate")
	oneOf("journal.sync", e.Journal.Sync, "always", "interval")
	if e.Clock.Kind == "machine" && e.Clock.Factor != 1 {
		bad("clock.factor", "the machine's clock runs at its own pace", "set clock.kind: estate to run faster")
	}
	if e.Clock.Factor <= 0 || e.Clock.Factor > 100000 {
		bad("clock.factor", fmt.Sprintf("found %g", e.Clock.Factor), "a number above 0, at most 100000")
	}
	if e.Clock.Start != "" {
		if _, err := time.Parse(time.RFC3339, e.Clock.Start); err != nil {
			bad("clock.start", fmt.Sprintf("found %q", e.Clock.Start), "an RFC 3339 time such as 2026-03-01T00:00:00+08:00")
		}
	}
	for key, addr := range map[string]string{"listen": e.Listen, "embedded_broker.listen": e.Embedded.Listen} {
		if _, _, err := net.SplitHostPort(addr); err != nil {
			bad(key, fmt.Sprintf("found %q", addr), "host:port, for example 127.0.0.1:8080; port 0 takes a free one")
		}
	}
	if !Loopback(e.Embedded.Listen) && e.Broker.URL == "" && len(e.Brokers) == 0 && (e.Embedded.User == "" || e.Embedded.Password == "") {
		bad("embedded_broker.listen", fmt.Sprintf("%s can be reached from other machines", e.Embedded.Listen),
			"set embedded_broker.user and embedded_broker.password, or listen on 127.0.0.1")
	}
	if len(e.Brokers) > 0 && e.Broker.URL != "" {
		bad("broker.url", "broker and brokers are both given", "keep brokers when there are several")
	}
	names := map[string]bool{}
	for i := range e.Brokers {
		b, key := &e.Brokers[i], fmt.Sprintf("brokers[%d]", i)
		b.fill()
		if names[b.Name] {
			bad(key+".name", fmt.Sprintf("%q is used twice", b.Name), "give every broker a name of its own")
		}
		names[b.Name] = true
		if b.URL == "" {
			bad(key, "url is missing", "url: mqtt://host:1883")
		}
		b.check(key, bad)
	}
	e.Broker.check("broker", bad)
	if e.InfluxDB.URL != "" {
		if u, err := url.Parse(e.InfluxDB.URL); err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			bad("influxdb.url", fmt.Sprintf("found %q", e.InfluxDB.URL), "http://host:8086 or https://host:8086")
		}
	}
	if e.BoardURL != "" {
		if u, err := url.Parse(e.BoardURL); err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			bad("board_url", fmt.Sprintf("found %q", e.BoardURL), "https://facilityd.example.com, as people type it")
		}
	}
	if u := string(e.Database.URL); u != "" && !strings.HasPrefix(u, "postgres://") && !strings.HasPrefix(u, "postgresql://") {
		bad("database.url", "not an address of PostgreSQL", "postgres://user:password@host:5432/name, or leave it out for SQLite")
	}
	return list
}

// fill gives a listed broker the defaults of what it leaves out.
func (b *Broker) fill() {
	d := DefaultBroker()
	if b.Name == "" {
		b.Name = d.Name
	}
	if b.ClientID == "" {
		b.ClientID = d.ClientID
	}
	if b.KeepAlive == 0 {
		b.KeepAlive = d.KeepAlive
	}
	if b.MaxMessage == 0 {
		b.MaxMessage = d.MaxMessage
	}
}

func (b *Broker) check(key string, bad func(key, message, hint string)) {
	if b.URL != "" {
		u, err := url.Parse(b.URL)
		switch schemes := []string{"mqtt", "mqtts", "tcp", "ssl", "tls", "ws", "wss"}; {
		case err != nil || u.Host == "" || !slices.Contains(schemes, u.Scheme):
			bad(key+".url", fmt.Sprintf("found %q", redact(b.URL)), "mqtt://host:1883, or mqtts://host:8883 with TLS")
		case u.User != nil:
			bad(key+".url", "the address holds a user or password, which would be seen in logs", "use user and password or password_file")
		}
	}
	if (b.Cert == "") != (b.Key == "") {
		bad(key+".cert", "cert and key belong together", "give both, or neither")
	}
	if b.Password != "" && b.PasswordFile != "" {
		bad(key+".password_file", "password and password_file are both given", "keep one")
	}
	if b.MaxMessage < 1<<10 || b.MaxMessage > 8<<20 {
		bad(key+".max_message", fmt.Sprintf("found %s", b.MaxMessage), "between 1KB and 8MB")
	}
	for name, file := range map[string]string{"ca": b.CA, "cert": b.Cert, "key": b.Key, "password_file": b.PasswordFile} {
		if file == "" {
			continue
		}
		if _, err := os.Stat(file); err != nil {
			bad(key+"."+name, err.Error(), "")
		}
	}
}

// redact hides user and password in an address that goes into a message.
func redact(address string) string {
	if i, j := strings.Index(address, "//"), strings.LastIndex(address, "@"); i >= 0 && j > i {
		return address[:i+2] + "…" + address[j:]
	}
	return address
}

// Loopback reports whether an address can only be reached from this machine.
func Loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
