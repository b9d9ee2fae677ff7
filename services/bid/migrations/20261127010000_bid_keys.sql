-- migrate:up

-- What bidders' idempotency keys have placed. Beside `bids`, because a unique index holds within one partition only;
-- kept for 7 days, so that the index of all keys stays small (services/bid/src/retention-job.ts).
CREATE TABLE bid_keys (
  user_id text COLLATE "C" NOT NULL,
  idempotency_key text COLLATE "C" NOT NULL,
  item_id uuid NOT NULL,
  sequence bigint NOT NULL,
  -- The bid's.
  created_at timestamptz NOT NULL,
  PRIMARY KEY (user_id, idempotency_key)
);
-- Rows come in the order of their time: a thousandth of the size of a tree.
CREATE INDEX bid_keys_by_time ON bid_keys USING brin (created_at) WITH (autosummarize = on);

-- Not created_at: code of the version before joins items, which has that.
ALTER TABLE item_keys ADD COLUMN used_at timestamptz NOT NULL DEFAULT clock_timestamp();
CREATE INDEX item_keys_by_time ON item_keys USING brin (used_at) WITH (autosummarize = on);

-- Code of the version before still writes its keys beside the bids: so that all code finds them, with the rights of
-- the tables' owner. A key that this version has placed already is a conflict there, never a second bid.
CREATE FUNCTION keep_bid_key() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
AS $$
BEGIN
  INSERT INTO bid_keys (user_id, idempotency_key, item_id, sequence, created_at)
  VALUES (NEW.user_id, NEW.idempotency_key, NEW.item_id, NEW.sequence, NEW.created_at);
  RETURN NULL;
END
$$;

CREATE TRIGGER keep_bid_key AFTER INSERT ON bids
FOR EACH ROW WHEN (NEW.idempotency_key IS NOT NULL) EXECUTE FUNCTION keep_bid_key();

INSERT INTO bid_keys (user_id, idempotency_key, item_id, sequence, created_at)
SELECT user_id, idempotency_key, item_id, sequence, created_at FROM bids
WHERE idempotency_key IS NOT NULL AND created_at > clock_timestamp() - interval '7 days';

-- migrate:down

-- Keys of this version are written where the version before looks for them.
UPDATE bids SET idempotency_key = k.idempotency_key FROM bid_keys k
WHERE bids.item_id = k.item_id AND bids.sequence = k.sequence AND bids.idempotency_key IS NULL;
DROP TRIGGER keep_bid_key ON bids;
DROP FUNCTION keep_bid_key();
DROP TABLE bid_keys;
DROP INDEX item_keys_by_time;
ALTER TABLE item_keys DROP COLUMN used_at;
