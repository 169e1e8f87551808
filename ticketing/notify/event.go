package notify

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// Post hands JSON that is no message to a person, such as an order that has
// changed, to a channel of type webhook, once. It is signed as messages are; key
// is its id, the same each time it is tried. The error is an [*Error], or the
// context's.
func (c *Channels) Post(ctx context.Context, channel, key string, body []byte) error {
	s, ok := c.by[channel].(*httpSender)
	if !ok || s.service != webhookKind.http {
		return &Error{Channel: channel, Reason: "there is no webhook of this name any more"}
	}
	event := *s
	event.service = &service{build: func(cfg *Config, now time.Time, _ string, m *Message) (*call, error) {
		call := &call{method: http.MethodPost, url: cfg.URL, header: map[string]string{"Content-Type": "application/json; charset=utf-8"}, body: body}
		return call, Sign(call.header, cfg.Secret, m.Key, now, call.body)
	}}
	_, err := event.once(ctx, "", &Message{Key: key})
	if said := new(Error); errors.As(err, &said) {
		said.Channel = channel
	}
	return err
}
