-- migrate:up

-- What a seller's idempotency keys have made: a repeated CreateItem answers with the item there is. `digest`
-- is that of the request; another one under the same key is refused. Beside `items`, whose rows are
-- rewritten by every bid and should stay small.
CREATE TABLE item_keys (
  seller_id text NOT NULL,
  idempotency_key text NOT NULL,
  item_id uuid NOT NULL,
  digest bytea NOT NULL,
  PRIMARY KEY (seller_id, idempotency_key)
);

-- migrate:down

DROP TABLE item_keys;
