-- An episode that another one explains belongs to the order of its cause. What
-- rules saw of an episode goes with it from order to order.

-- +goose Up
ALTER TABLE episodes ADD COLUMN under TEXT NOT NULL DEFAULT '';        -- the episode that explains it
ALTER TABLE episodes ADD COLUMN attached SMALLINT NOT NULL DEFAULT 0;  -- 1: in the order of its cause
CREATE INDEX episodes_under ON episodes (under) WHERE under <> '';
ALTER TABLE evidence ADD COLUMN episode TEXT NOT NULL DEFAULT '';
ALTER TABLE evidence ADD COLUMN attached SMALLINT NOT NULL DEFAULT 0;  -- 1: of a consequence of the order

-- +goose Down
ALTER TABLE evidence DROP COLUMN attached;
ALTER TABLE evidence DROP COLUMN episode;
DROP INDEX episodes_under;
ALTER TABLE episodes DROP COLUMN attached;
ALTER TABLE episodes DROP COLUMN under;
