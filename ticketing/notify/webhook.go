package notify

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// webhookKind posts the message as JSON to another system, signed as the Standard
// Webhooks specification says, so that the receiver can check it with a library
// it already has. The id is the message's key: the same each time it is tried.
var webhookKind = &kind{
	needs: []string{"url", "secret"}, may: []string{"ca"},
	address: optional, addressing: "a word that the receiver knows the person by",
	http: &service{build: buildWebhook},
}

// webhookBody is what a webhook gets.
type webhookBody struct {
	Type      string    `json:"type"` // message.new, message.update, …
	Timestamp time.Time `json:"timestamp"`
	To        string    `json:"to,omitempty"`
	Message   *Message  `json:"message"`
}

func buildWebhook(c *Config, now time.Time, to string, m *Message) (*call, error) {
	call, err := post(c.URL, webhookBody{"message." + string(m.Kind), now.UTC().Truncate(time.Second), to, m})
	if err != nil {
		return nil, err
	}
	return call, Sign(call.header, c.Secret, m.Key, now, call.body)
}

// Sign adds the headers of the Standard Webhooks specification: webhook-id,
// webhook-timestamp and webhook-signature, an HMAC-SHA256 over all three and the
// body. id is the idempotency key, the same on every retry.
func Sign(header map[string]string, secret, id string, now time.Time, body []byte) error {
	w, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		return errors.New("the secret of the webhook is not base64")
	}
	signature, err := w.Sign(id, now, body)
	if err != nil {
		return fmt.Errorf("sign the request: %w", err)
	}
	header[http.CanonicalHeaderKey(standardwebhooks.HeaderWebhookID)] = id
	header[http.CanonicalHeaderKey(standardwebhooks.HeaderWebhookTimestamp)] = strconv.FormatInt(now.Unix(), 10)
	header[http.CanonicalHeaderKey(standardwebhooks.HeaderWebhookSignature)] = signature
	header["Idempotency-Key"] = id
	return nil
}

// minSecret is 24 bytes, the least that the specification allows.
const minSecret = 24

func checkWebhookSecret(secret string) error {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return errors.New("secret is not base64")
	}
	if len(key) < minSecret {
		return fmt.Errorf("secret has %d bytes, and %d are the least", len(key), minSecret)
	}
	return nil
}
