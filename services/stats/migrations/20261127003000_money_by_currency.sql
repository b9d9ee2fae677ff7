-- migrate:up

-- Money by currency. Where statistics were kept without one, the old columns and tables stay, as they are
-- and for processes of the version before, and count as money of unknown currency: a rebuild empties them.

CREATE TABLE user_amounts (
  user_id text COLLATE "C" NOT NULL,
  -- Empty: unknown.
  currency text COLLATE "C" NOT NULL,
  total_amount numeric NOT NULL,
  highest_bid bigint NOT NULL,
  amount_won numeric NOT NULL,
  PRIMARY KEY (user_id, currency)
) WITH (fillfactor = 80);
-- For the leaders, as those of user_stats.
CREATE INDEX user_amounts_by_amount ON user_amounts (currency, total_amount DESC, user_id);
-- Sums of no currency rank nobody.
DROP INDEX user_stats_by_amount;

-- Bids by minute, user and currency; `activity` has those of unknown currency.
CREATE TABLE market_activity (
  minute timestamptz NOT NULL,
  user_id text COLLATE "C" NOT NULL,
  currency text COLLATE "C" NOT NULL,
  bids bigint NOT NULL,
  amount numeric NOT NULL,
  PRIMARY KEY (minute, user_id, currency)
) WITH (fillfactor = 80);

ALTER TABLE item_stats
  ADD COLUMN currency text COLLATE "C" NOT NULL DEFAULT '',
  ADD COLUMN ended_at timestamptz,
  ALTER COLUMN winner_id TYPE text COLLATE "C";
CREATE INDEX item_stats_by_end ON item_stats (ended_at) WHERE ended_at IS NOT NULL;

-- Rows that change with each bid: room on their page lets a change leave the indexes alone.
ALTER TABLE item_stats SET (fillfactor = 80);
ALTER TABLE user_items SET (fillfactor = 80);
ALTER TABLE user_stats SET (fillfactor = 80);

-- migrate:down

ALTER TABLE user_stats RESET (fillfactor);
ALTER TABLE user_items RESET (fillfactor);
ALTER TABLE item_stats RESET (fillfactor);
DROP INDEX item_stats_by_end;
ALTER TABLE item_stats DROP COLUMN currency, DROP COLUMN ended_at;
DROP TABLE market_activity;
CREATE INDEX user_stats_by_amount ON user_stats (total_amount DESC, user_id);
DROP TABLE user_amounts;
