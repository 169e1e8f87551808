-- What has to happen outside, written with its cause, and what is known from one
-- decision about telling people to the next. Times of the outbox are the
-- machine's; those of dispatch and mailboxes follow the clock of the orders.

-- +goose Up
CREATE TABLE outbox (
    key      TEXT PRIMARY KEY, -- idempotency key
    kind     TEXT NOT NULL,    -- message or event
    receiver TEXT NOT NULL,    -- person or subscription
    thread   TEXT NOT NULL,    -- effects of a thread are delivered one after the other
    turn     BIGINT NOT NULL,
    site     TEXT NOT NULL,
    order_id TEXT NOT NULL,    -- '' for a digest of several
    tier     SMALLINT NOT NULL,
    state    TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    contact  BIGINT NOT NULL,  -- ways to the receiver that were tried
    refused  BIGINT NOT NULL,  -- of them in a row that said never
    round    SMALLINT NOT NULL, -- 1 when every way was tried in vain
    at       BIGINT NOT NULL,  -- when it was decided, by the clock of the orders
    created  BIGINT NOT NULL,
    due      BIGINT NOT NULL,  -- not taken before; a taken one comes back then
    finished BIGINT NOT NULL,
    error    TEXT NOT NULL,
    channel  TEXT NOT NULL,
    address  TEXT NOT NULL,
    doc      TEXT NOT NULL
);
CREATE INDEX outbox_due ON outbox (tier, due) WHERE state = 'queued';
CREATE INDEX outbox_thread ON outbox (thread, turn) WHERE state = 'queued';
CREATE INDEX outbox_state ON outbox (kind, state, created);
CREATE INDEX outbox_receiver ON outbox (receiver);
CREATE INDEX outbox_newest ON outbox (created, key);
CREATE INDEX outbox_unreached ON outbox (order_id) WHERE round = 1;

-- What a receiver has of a thread: the reference by which it is updated.
CREATE TABLE threads (
    thread  TEXT PRIMARY KEY,
    turn    BIGINT NOT NULL, -- of the newest effect
    channel TEXT NOT NULL,
    address TEXT NOT NULL,
    ref     TEXT NOT NULL    -- '' while nothing was taken
);

CREATE TABLE dispatch (
    order_id TEXT PRIMARY KEY REFERENCES orders (id),
    site     TEXT NOT NULL,
    tier     SMALLINT NOT NULL,
    due      BIGINT NOT NULL, -- when it is looked at; 0 for not before it changes
    seen     BIGINT NOT NULL, -- version of the order that was looked at
    nobody   SMALLINT NOT NULL, -- 1 when nobody could be told
    doc      TEXT NOT NULL
);
CREATE INDEX dispatch_due ON dispatch (site, tier, due) WHERE due > 0;
CREATE INDEX dispatch_nobody ON dispatch (site) WHERE nobody = 1;

CREATE TABLE notices (
    person   TEXT NOT NULL,
    order_id TEXT NOT NULL REFERENCES orders (id),
    version  BIGINT NOT NULL,
    kind     TEXT NOT NULL,
    at       BIGINT NOT NULL,
    tier     SMALLINT NOT NULL,
    doc      TEXT NOT NULL,
    PRIMARY KEY (person, order_id, version, kind, at)
);

CREATE TABLE mailboxes (
    person TEXT PRIMARY KEY,
    urgent SMALLINT NOT NULL, -- 1 while notices about P1 wait
    due    BIGINT NOT NULL,   -- when all notices are looked at; 0 while none waits
    doc    TEXT NOT NULL
);

-- +goose Down
DROP TABLE mailboxes;
DROP TABLE notices;
DROP TABLE dispatch;
DROP TABLE threads;
DROP TABLE outbox;
