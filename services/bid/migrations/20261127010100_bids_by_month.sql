-- migrate:up

-- Bids by month, so that forgetting old ones is dropping a table. What there is becomes the first partition, to the
-- end of this month; it keeps the index of keys by which code of the version before recognises its repeats.
-- Ids and keys are compared by their bytes from here on, whatever the locale of the database.
ALTER TABLE items
  ALTER COLUMN seller_id TYPE text COLLATE "C",
  ALTER COLUMN highest_bidder_id TYPE text COLLATE "C";
ALTER TABLE item_keys
  ALTER COLUMN seller_id TYPE text COLLATE "C",
  ALTER COLUMN idempotency_key TYPE text COLLATE "C";

DO $$
DECLARE
  month CONSTANT timestamp := date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC');
  first CONSTANT text := to_char(month, '"bids_"YYYY_MM');
BEGIN
  DROP TRIGGER keep_bid_key ON bids;
  ALTER TABLE bids
    ALTER COLUMN user_id TYPE text COLLATE "C",
    ALTER COLUMN idempotency_key TYPE text COLLATE "C",
    DROP CONSTRAINT bids_pkey,
    ADD CONSTRAINT bids_pkey PRIMARY KEY (item_id, sequence, created_at);
  EXECUTE format('ALTER INDEX bids_pkey RENAME TO %I', first || '_pkey');
  EXECUTE format('ALTER INDEX bids_by_user RENAME TO %I', first || '_by_user');
  EXECUTE format('ALTER TABLE bids RENAME TO %I', first);
  EXECUTE format('CREATE TRIGGER keep_bid_key AFTER INSERT ON %I
    FOR EACH ROW WHEN (NEW.idempotency_key IS NOT NULL) EXECUTE FUNCTION keep_bid_key()', first);

  -- Written only while the item's row is locked, so sequences do not repeat, and no foreign key has to look again.
  CREATE TABLE bids (
    item_id uuid NOT NULL,
    sequence bigint NOT NULL CONSTRAINT bids_sequence_check CHECK (sequence > 0),
    id uuid NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    amount bigint NOT NULL CONSTRAINT bids_amount_check CHECK (amount BETWEEN 1 AND 1000000000000000),
    created_at timestamptz NOT NULL,
    -- Of code of the version before; bid_keys has them.
    idempotency_key text COLLATE "C",
    PRIMARY KEY (item_id, sequence, created_at)
  ) PARTITION BY RANGE (created_at);
  CREATE INDEX bids_by_user ON bids (user_id, id);
  EXECUTE format('ALTER TABLE bids ATTACH PARTITION %I FOR VALUES FROM (MINVALUE) TO (%L)', first,
    (month + interval '1 month') AT TIME ZONE 'UTC');
END
$$;
SELECT make_partitions();

-- migrate:down

DO $$
BEGIN
  ALTER TABLE bids RENAME TO bids_by_month;
  ALTER INDEX bids_by_user RENAME TO bids_by_month_by_user;
  ALTER INDEX bids_pkey RENAME TO bids_by_month_pkey;
  CREATE TABLE bids (LIKE bids_by_month INCLUDING CONSTRAINTS);
  INSERT INTO bids SELECT * FROM bids_by_month;
  DROP TABLE bids_by_month;
  ALTER TABLE bids ADD PRIMARY KEY (item_id, sequence);
  CREATE INDEX bids_by_user ON bids (user_id, id);
  CREATE UNIQUE INDEX bids_idempotency ON bids (user_id, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
  CREATE TRIGGER keep_bid_key AFTER INSERT ON bids
  FOR EACH ROW WHEN (NEW.idempotency_key IS NOT NULL) EXECUTE FUNCTION keep_bid_key();
END
$$;
