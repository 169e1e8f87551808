-- Photos, signatures and documents under the hash of their content, in the
-- database: it is what several workers share and what a backup copies.

-- +goose Up
CREATE TABLE files (
    hash    TEXT PRIMARY KEY, -- SHA-256, hexadecimal
    type    TEXT NOT NULL,    -- media type found from the content
    size    BIGINT NOT NULL,
    created BIGINT NOT NULL,
    data    BYTEA NOT NULL
);

-- +goose Down
DROP TABLE files;
