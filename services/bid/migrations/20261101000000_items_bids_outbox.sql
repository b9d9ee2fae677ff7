-- migrate:up

-- Every table carries item_id (items: id), and every transaction stays within it: that is the
-- distribution column the day one primary is too small.
CREATE TABLE items (
  id uuid PRIMARY KEY,
  title text NOT NULL,
  description text NOT NULL,
  images text[] NOT NULL,
  category text NOT NULL,
  seller_id text NOT NULL,
  currency text NOT NULL,
  start_price bigint NOT NULL CHECK (start_price BETWEEN 1 AND 1000000000000000),
  -- 0: the increment comes from the table of price bands.
  min_increment bigint NOT NULL CHECK (min_increment BETWEEN 0 AND 1000000000000000),
  soft_close_window_ms integer NOT NULL,
  soft_close_extension_ms integer NOT NULL,
  soft_close_max_extensions integer NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  start_at timestamptz NOT NULL,
  original_end_at timestamptz NOT NULL,

  -- The head: what bids change.
  status text NOT NULL CHECK (status IN ('scheduled', 'active', 'ended', 'cancelled')),
  end_at timestamptz NOT NULL,
  extension_count integer NOT NULL DEFAULT 0,
  current_highest_bid bigint NOT NULL DEFAULT 0,
  highest_bidder_id text NOT NULL DEFAULT '',
  sequence bigint NOT NULL DEFAULT 0,
  outcome text CHECK (outcome IN ('sold', 'unsold')),
  cancel_reason text NOT NULL DEFAULT '',
  version bigint NOT NULL DEFAULT 1,

  CHECK (start_at < original_end_at AND original_end_at <= end_at),
  CHECK ((status = 'ended') = (outcome IS NOT NULL))
)
-- Half-empty pages, and no index on a column that a plain bid changes: heads are updated in place (HOT).
WITH (fillfactor = 50);

CREATE INDEX items_to_close ON items (end_at, id) WHERE status = 'active';
CREATE INDEX items_to_open ON items (start_at, id) WHERE status = 'scheduled';
CREATE INDEX items_by_end ON items (end_at, id);
CREATE INDEX items_by_seller ON items (seller_id, id);
CREATE INDEX items_by_category ON items (category, id);
CREATE INDEX items_by_words ON items
  USING gin (to_tsvector('simple', title || ' ' || description));

-- Written only while the item's row is locked, so it exists and no foreign key has to look again.
CREATE TABLE bids (
  item_id uuid NOT NULL,
  sequence bigint NOT NULL CHECK (sequence > 0),
  id uuid NOT NULL,
  user_id text NOT NULL,
  amount bigint NOT NULL CHECK (amount BETWEEN 1 AND 1000000000000000),
  created_at timestamptz NOT NULL,
  idempotency_key text,
  PRIMARY KEY (item_id, sequence)
);

CREATE INDEX bids_by_user ON bids (user_id, id);
CREATE UNIQUE INDEX bids_idempotency ON bids (user_id, idempotency_key)
  WHERE idempotency_key IS NOT NULL;

-- Events in the transaction that made them true. Rows of one item get their seq while the item is
-- locked: within an item seq order is commit order. The relay deletes what the broker has confirmed.
CREATE TABLE outbox (
  shard smallint NOT NULL CHECK (shard BETWEEN 0 AND 7),
  seq bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
  id uuid NOT NULL,
  item_id uuid NOT NULL,
  type text NOT NULL,
  payload bytea NOT NULL,
  headers jsonb NOT NULL DEFAULT '{}',
  occurred_at timestamptz NOT NULL,
  PRIMARY KEY (shard, seq)
)
-- A queue: always nearly empty, always full of dead rows. Clean it by count, not by share.
WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

-- migrate:down

DROP TABLE outbox;
DROP TABLE bids;
DROP TABLE items;
