-- When to look at the deadlines of an order again: 1 after every change, 0 when
-- nothing is waited for. So time passes over what is due, not over every order.

-- +goose Up
ALTER TABLE orders ADD COLUMN sla_next BIGINT NOT NULL DEFAULT 0;
ALTER TABLE orders ADD COLUMN overdue SMALLINT NOT NULL DEFAULT 0;
UPDATE orders SET sla_next = 1 WHERE active = 1;
CREATE INDEX orders_sla_next ON orders (site, sla_next) WHERE sla_next > 0;
CREATE INDEX orders_overdue ON orders (site, tier) WHERE overdue = 1;

-- +goose Down
DROP INDEX orders_overdue;
DROP INDEX orders_sla_next;
ALTER TABLE orders DROP COLUMN overdue;
ALTER TABLE orders DROP COLUMN sla_next;
