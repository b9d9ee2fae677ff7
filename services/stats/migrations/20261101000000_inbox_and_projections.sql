-- migrate:up

-- Ids of the events that have been applied. Written in the transaction that applies them: an event is in
-- here if and only if its effect is in the tables below.
CREATE TABLE inbox (
  event_id uuid PRIMARY KEY,
  occurred_at timestamptz NOT NULL,
  received_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX inbox_by_age ON inbox (greatest(occurred_at, received_at));

-- Sums of amounts are numeric: 10,000 of the largest bids already overflow a bigint.
CREATE TABLE user_stats (
  user_id text COLLATE "C" PRIMARY KEY,
  total_bids bigint NOT NULL DEFAULT 0,
  total_amount numeric NOT NULL DEFAULT 0,
  items_bid_on bigint NOT NULL DEFAULT 0,
  highest_bid bigint NOT NULL DEFAULT 0,
  items_won bigint NOT NULL DEFAULT 0,
  amount_won numeric NOT NULL DEFAULT 0,
  first_bid_at timestamptz,
  last_bid_at timestamptz,
  last_updated_at timestamptz NOT NULL
);
-- For the leaders while Redis is away, and for a process without one.
CREATE INDEX user_stats_by_bids ON user_stats (total_bids DESC, user_id);
CREATE INDEX user_stats_by_amount ON user_stats (total_amount DESC, user_id);
CREATE INDEX user_stats_by_won ON user_stats (items_won DESC, user_id);

CREATE TABLE item_stats (
  item_id uuid PRIMARY KEY,
  total_bids bigint NOT NULL DEFAULT 0,
  unique_bidders bigint NOT NULL DEFAULT 0,
  highest_bid bigint NOT NULL DEFAULT 0,
  first_bid_at timestamptz,
  last_bid_at timestamptz,
  outcome text CHECK (outcome IN ('sold', 'unsold')),
  winner_id text NOT NULL DEFAULT '',
  hammer_price bigint NOT NULL DEFAULT 0
);

-- Who has bid on what: makes distinct users and items countable, and holds the leaders of an item.
CREATE TABLE user_items (
  item_id uuid NOT NULL,
  user_id text COLLATE "C" NOT NULL,
  bids bigint NOT NULL,
  amount numeric NOT NULL,
  highest_bid bigint NOT NULL,
  PRIMARY KEY (item_id, user_id)
);

-- Bids by minute and user: any bucket of whole minutes is a sum, its users a distinct count.
CREATE TABLE activity (
  minute timestamptz NOT NULL,
  user_id text COLLATE "C" NOT NULL,
  bids bigint NOT NULL,
  amount numeric NOT NULL,
  PRIMARY KEY (minute, user_id)
);

-- migrate:down

DROP TABLE activity;
DROP TABLE user_items;
DROP TABLE item_stats;
DROP TABLE user_stats;
DROP TABLE inbox;
