package daemon

import (
	"context"
	"fmt"
	"os"

	"github.com/facilityd/facilityd/configs"
	"github.com/facilityd/facilityd/ticketing/store"
)

// OpenOrders opens the work orders of these settings, beside a running daemon or
// before its first start.
func OpenOrders(ctx context.Context, s *configs.Settings) (*store.Store, error) {
	if err := os.MkdirAll(s.Data, 0o700); err != nil {
		return nil, fmt.Errorf("make the data directory: %w", err)
	}
	return store.Open(ctx, store.Config{URL: databaseURL(s)})
}
