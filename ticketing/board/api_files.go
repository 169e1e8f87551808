package board

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/facilityd/facilityd/ticketing"
)

type attachInput struct {
	ID      string    `path:"id" doc:"Id or number (demo-17) of the order"`
	Key     string    `header:"Idempotency-Key" required:"true" minLength:"1" maxLength:"200"`
	IfMatch string    `header:"If-Match" doc:"The ETag of the order that you had seen, or give version"`
	Agent   string    `header:"User-Agent" doc:"Which program asks, for the log"`
	Version int       `query:"version"`
	At      time.Time `query:"at" doc:"Time of the action, when it was made without a connection"`
	Name    string    `query:"name" doc:"Name of the file"`
	Role    string    `query:"role" enum:"photo,signature,document" default:"photo"`
	RawBody []byte    `contentType:"application/octet-stream"`
}

// registerAttach registers the command whose body is a file.
func (b *Board) registerAttach(api huma.API) {
	o := op("attach-work-order", http.MethodPost, "/work-orders/{id}/attach", "orders", "Attach a photo, a signature or a document")
	o.MaxBodyBytes = ticketing.MaxFile + 1<<10
	o.BodyReadTimeout = 2 * time.Minute // a phone in a pump room
	o.Errors = append(o.Errors, http.StatusForbidden, http.StatusNotFound, http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity)
	huma.Register(api, o, func(ctx context.Context, in *attachInput) (*commandOutput, error) {
		a, err := ticketing.NewAttachment(in.Name, in.Role, http.DetectContentType(in.RawBody), in.RawBody)
		if err != nil {
			return nil, b.apiError(err)
		}
		c := ticketing.Command{
			Verb: ticketing.DoAttach, Via: viaOf(in.Agent), Key: in.Key, Arrived: b.cfg.Now(), At: in.At, Version: in.Version, Attachment: a, Content: in.RawBody,
		}
		return b.apiCommand(ctx, in.ID, in.IfMatch, c)
	})
}

type fileInput struct {
	ID   string `path:"id" doc:"Id or number (demo-17) of the order"`
	Hash string `path:"hash" pattern:"^[0-9a-f]{64}$" doc:"SHA-256 of the content"`
}

type fileOutput struct {
	ContentType string `header:"Content-Type"`
	Disposition string `header:"Content-Disposition"`
	Policy      string `header:"Content-Security-Policy"`
	Cache       string `header:"Cache-Control"`
	Body        []byte
}

func fileOperation() huma.Operation {
	o := op("get-work-order-file", http.MethodGet, "/work-orders/{id}/files/{hash}", "orders", "An attachment")
	o.Errors = append(o.Errors, http.StatusNotFound)
	o.Responses = map[string]*huma.Response{"200": {
		Description: "The file; what it holds under a hash never changes",
		Content:     map[string]*huma.MediaType{"application/octet-stream": {Schema: &huma.Schema{Type: "string", Format: "binary"}}},
	}}
	return o
}

func (b *Board) apiFile(ctx context.Context, in *fileInput) (*fileOutput, error) {
	o, err := b.cfg.Orders.Order(ctx, in.ID)
	if err != nil {
		return nil, b.apiError(err)
	}
	a, data, err := b.cfg.Orders.File(ctx, o.ID, in.Hash)
	if err != nil {
		return nil, b.apiError(err)
	}
	out := &fileOutput{ContentType: a.Type, Disposition: "inline", Policy: "default-src 'none'; sandbox", Cache: "private, max-age=31536000, immutable", Body: data}
	if a.Type == "application/pdf" {
		out.Disposition = `attachment; filename="order.pdf"`
	}
	return out, nil
}
