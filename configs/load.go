package configs

import (
	"bytes"
	"encoding"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"

	"github.com/facilityd/facilityd/configs/diag"
	"github.com/facilityd/facilityd/configs/diag/document"
)

// EnvPrefix begins the name of every environment variable that is a setting.
const EnvPrefix = "FACILITYD_"

// Variables that begin like settings and are not.
var otherEnv = []string{"FACILITYD_CONFIG", "FACILITYD_TOKEN", "FACILITYD_SHARED"}

// FlagKeys names the settings that have a flag of their own, by flag name.
var FlagKeys = map[string]string{
	"data": "data", "listen": "listen", "mqtt": "embedded_broker.listen",
	"broker": "broker.url", "clock": "clock.kind", "log-level": "log.level",
}

// Effective are settings together with where each of them came from.
type Effective struct {
	Settings
	File    string            // settings file, "" for none
	Origins map[string]string // by key: default, file:line, an environment variable, a flag
}

// LoadSettings reads the settings: defaults, then the file (path "" is none),
// then the environment, then flags that were given; the later is stronger.
// Relative paths in the file are taken from the file's own directory. All
// findings are returned together; the settings are usable when none is an error.
func LoadSettings(path string, environ []string, flags *pflag.FlagSet) (Effective, diag.List) {
	e := Effective{Settings: DefaultSettings(), File: path, Origins: map[string]string{}}
	var data []byte
	if path != "" {
		var err error
		if data, err = os.ReadFile(path); err != nil {
			return e, diag.List{{File: path, Message: err.Error(), Hint: "facilityd run without --config uses the defaults"}}
		}
	}
	fromFile := DefaultSettings()
	list := document.Decode(path, data, &fromFile)
	list = append(list, unknownEnv(environ)...)
	if list.HasErrors() {
		return e, list
	}
	e.Brokers = fromFile.Brokers
	places := document.Places(data)

	v := viper.New()
	v.SetConfigType("yaml")
	if err := v.ReadConfig(bytes.NewReader(data)); err != nil {
		return e, append(list, diag.Diagnostic{File: path, Message: err.Error()})
	}
	env := map[string]string{}
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		env[name] = value
	}
	for _, l := range leaves(reflect.ValueOf(&e.Settings).Elem(), "") {
		origin := "default"
		if p, ok := places[l.key]; ok {
			origin = fmt.Sprintf("%s:%d", path, p.Line)
		}
		if value, ok := env[envName(l.key)]; ok {
			v.Set(l.key, value)
			origin = envName(l.key)
		}
		if f := flagOf(l.key, flags); f != nil && f.Changed {
			v.Set(l.key, f.Value.String())
			origin = "--" + f.Name
		}
		e.Origins[l.key] = origin
		if origin == "default" {
			continue
		}
		if err := l.set(v); err != nil {
			d := diag.Diagnostic{File: origin, Message: fmt.Sprintf("%s: %v", l.key, err)}
			if p, ok := places[l.key]; ok && strings.HasPrefix(origin, path+":") {
				d.File, d.Line, d.Column = path, p.Line, p.Column
			}
			list.Add(d)
		}
	}
	e.resolvePaths()
	list = append(list, e.check(places)...)
	list.Sort()
	return e, list
}

func flagOf(key string, flags *pflag.FlagSet) *pflag.Flag {
	if flags == nil {
		return nil
	}
	for name, k := range FlagKeys {
		if k == key {
			return flags.Lookup(name)
		}
	}
	return nil
}

func envName(key string) string {
	return EnvPrefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

func unknownEnv(environ []string) diag.List {
	var names []string
	s := DefaultSettings()
	for _, l := range leaves(reflect.ValueOf(&s).Elem(), "") {
		names = append(names, envName(l.key))
	}
	var list diag.List
	for _, kv := range environ {
		name, _, _ := strings.Cut(kv, "=")
		if strings.HasPrefix(name, EnvPrefix) && !slices.Contains(names, name) && !slices.Contains(otherEnv, name) {
			list.Add(diag.Diagnostic{File: "environment", Message: "unknown setting " + name, Hint: diag.DidYouMean(name, names)})
		}
	}
	return list
}

// A leaf is one setting with a single value.
type leaf struct {
	key   string
	value reflect.Value
}

func leaves(v reflect.Value, prefix string) []leaf {
	var out []leaf
	for i := range v.NumField() {
		f := v.Type().Field(i)
		key := strings.TrimPrefix(prefix+"."+f.Tag.Get("yaml"), ".")
		switch {
		case f.Type == reflect.TypeFor[[]Broker]():
		case f.Type.Kind() == reflect.Struct:
			out = append(out, leaves(v.Field(i), key)...)
		default:
			out = append(out, leaf{key, v.Field(i)})
		}
	}
	return out
}

func (l leaf) set(v *viper.Viper) error {
	if u, ok := l.value.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(v.GetString(l.key)))
	}
	switch text := v.GetString(l.key); l.value.Kind() {
	case reflect.String:
		l.value.SetString(text)
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("%q is not true or false", text)
		}
		l.value.SetBool(b)
	case reflect.Float64:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return fmt.Errorf("%q is not a number", text)
		}
		l.value.SetFloat(f)
	case reflect.Slice:
		items := v.GetStringSlice(l.key)
		if s, ok := v.Get(l.key).(string); ok {
			items = strings.Split(s, ",")
		}
		l.value.Set(reflect.ValueOf(items))
	}
	return nil
}

// Value is one line of config show.
type Value struct{ Key, Value, Origin string }

// Values lists every setting in force, secrets masked, in the order of the
// documentation.
func (e *Effective) Values() []Value {
	var out []Value
	for _, l := range leaves(reflect.ValueOf(&e.Settings).Elem(), "") {
		out = append(out, Value{l.key, fmt.Sprint(l.value.Interface()), e.Origins[l.key]})
	}
	for i := range e.Brokers {
		for _, l := range leaves(reflect.ValueOf(&e.Brokers[i]).Elem(), fmt.Sprintf("brokers[%d]", i)) {
			out = append(out, Value{l.key, fmt.Sprint(l.value.Interface()), e.File})
		}
	}
	return out
}

// resolvePaths makes what the file names relative to itself absolute.
func (e *Effective) resolvePaths() {
	if e.File == "" {
		return
	}
	dir := filepath.Dir(e.File)
	fix := func(key string, p *string) {
		if *p != "" && !filepath.IsAbs(*p) && strings.HasPrefix(e.Origins[key], e.File+":") {
			*p = filepath.Join(dir, *p)
		}
	}
	fix("data", &e.Data)
	fix("people", &e.People)
	fix("profiles.dir", &e.Profiles.Dir)
	fix("rules.dir", &e.Rules.Dir)
	fix("influxdb.token_file", &e.InfluxDB.TokenFile)
	for i := range e.Sites {
		fix("sites", &e.Sites[i])
	}
	e.Origins["brokers"] = e.File + ":"
	brokerFiles := func(key string, b *Broker) {
		for name, p := range map[string]*string{"password_file": &b.PasswordFile, "ca": &b.CA, "cert": &b.Cert, "key": &b.Key} {
			if key == "brokers" {
				fix("brokers", p)
			} else {
				fix(key+"."+name, p)
			}
		}
	}
	brokerFiles("broker", &e.Broker)
	for i := range e.Brokers {
		brokerFiles("brokers", &e.Brokers[i])
	}
	delete(e.Origins, "brokers")
}
