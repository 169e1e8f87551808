-- Work orders, their logs and what belongs to them. One text for SQLite and
-- PostgreSQL: times are Unix nanoseconds, truth values 0 or 1, documents JSON.

-- +goose Up
CREATE TABLE sites (
    site       TEXT PRIMARY KEY,
    epoch      BIGINT NOT NULL, -- the worker that may write; older ones are fenced off
    applied    BIGINT NOT NULL, -- position of the last journal record whose steps are in
    applied_at BIGINT NOT NULL,
    numbers    BIGINT NOT NULL, -- order numbers given out
    changes    BIGINT NOT NULL  -- grows with every write; tells pages that something is new
);

CREATE TABLE orders (
    id          TEXT PRIMARY KEY,
    site        TEXT NOT NULL REFERENCES sites (site),
    number      BIGINT NOT NULL,
    asset       TEXT NOT NULL,
    fault_class TEXT NOT NULL,
    state       TEXT NOT NULL,
    active      SMALLINT NOT NULL,
    tier        SMALLINT NOT NULL,
    assignee    TEXT NOT NULL,
    simulated   SMALLINT NOT NULL,
    opened      BIGINT NOT NULL,
    updated     BIGINT NOT NULL,
    ended       BIGINT NOT NULL, -- closed or cancelled; 0 while active
    version     BIGINT NOT NULL,
    doc         TEXT NOT NULL,   -- the folded order
    UNIQUE (site, number)
);

-- Promise 3: at most one open order per asset and fault class.
CREATE UNIQUE INDEX orders_one_active ON orders (site, asset, fault_class) WHERE active = 1;
CREATE INDEX orders_urgent ON orders (tier, opened, id) WHERE active = 1;
CREATE INDEX orders_newest ON orders (opened, id);
CREATE INDEX orders_state ON orders (state, tier, site);
CREATE INDEX orders_asset ON orders (site, asset, opened);
CREATE INDEX orders_assignee ON orders (assignee, opened) WHERE assignee <> '';

CREATE TABLE log (
    order_id TEXT NOT NULL REFERENCES orders (id),
    version  BIGINT NOT NULL,
    key      TEXT NOT NULL UNIQUE, -- the same step or command twice is one entry
    kind     TEXT NOT NULL,
    person   TEXT NOT NULL,
    at       BIGINT NOT NULL,
    arrived  BIGINT NOT NULL,
    doc      TEXT NOT NULL,
    PRIMARY KEY (order_id, version)
);

CREATE TABLE evidence (
    order_id TEXT NOT NULL REFERENCES orders (id),
    version  BIGINT NOT NULL, -- of the log entry that it belongs to
    doc      TEXT NOT NULL,
    PRIMARY KEY (order_id, version)
);

CREATE TABLE episodes (
    id          TEXT PRIMARY KEY,
    order_id    TEXT NOT NULL REFERENCES orders (id),
    site        TEXT NOT NULL,
    asset       TEXT NOT NULL,
    fault_class TEXT NOT NULL,
    phase       TEXT NOT NULL,
    severity    TEXT NOT NULL,
    rule        TEXT NOT NULL,
    simulated   SMALLINT NOT NULL,
    seq         BIGINT NOT NULL, -- position of the record that made it active
    onset       BIGINT NOT NULL,
    active_at   BIGINT NOT NULL,
    cleared_at  BIGINT NOT NULL, -- 0 while it holds
    last_seq    BIGINT NOT NULL,
    last_ord    BIGINT NOT NULL
);
CREATE INDEX episodes_order ON episodes (order_id, active_at);
CREATE INDEX episodes_newest ON episodes (active_at, id);
CREATE INDEX episodes_phase ON episodes (phase, site);

-- Facts from people that the rules must know: written with their cause, then
-- carried to the journal.
CREATE TABLE facts (
    site      TEXT NOT NULL REFERENCES sites (site),
    n         BIGINT NOT NULL, -- order of writing within the site
    id        TEXT NOT NULL UNIQUE,
    created   BIGINT NOT NULL,
    journaled BIGINT NOT NULL, -- position in the journal; 0 while it is not there
    doc       TEXT NOT NULL,
    PRIMARY KEY (site, n)
);
CREATE INDEX facts_pending ON facts (site, n) WHERE journaled = 0;

CREATE TABLE persons (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    lang       TEXT NOT NULL,
    token_hash TEXT NOT NULL UNIQUE, -- SHA-256; the token itself is shown once and kept nowhere
    created    BIGINT NOT NULL,
    revoked    BIGINT NOT NULL
);

-- +goose Down
DROP TABLE persons;
DROP TABLE facts;
DROP TABLE episodes;
DROP TABLE evidence;
DROP TABLE log;
DROP TABLE orders;
DROP TABLE sites;
