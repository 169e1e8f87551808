-- Asset ids are telling by themselves: a list of one asset needs no site, and is
-- read in its order.

-- +goose Up
DROP INDEX orders_asset;
CREATE INDEX orders_asset ON orders (asset, opened, id);

-- +goose Down
DROP INDEX orders_asset;
CREATE INDEX orders_asset ON orders (site, asset, opened);
