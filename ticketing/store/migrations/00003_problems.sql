-- How often a fault came to an asset lately is asked with every order.

-- +goose Up
CREATE INDEX log_onsets ON log (arrived) WHERE kind IN ('opened', 'recurred');

-- +goose Down
DROP INDEX log_onsets;
