-- migrate:up

-- The history: every event of an item as it was published, for good. Rows are only added, by the statement that also
-- fills the outbox, while the item is locked. Code that does not know this table changes items without it: such
-- versions have no row, and the chain goes on over them.
CREATE TABLE item_events (
  item_id uuid NOT NULL,
  -- The item's, after the event.
  version bigint NOT NULL,
  -- When it was decided, by this database's clock: of an end that the auctioneer was late for, later than what the
  -- event tells. So rows go into the newest partitions, whatever the event is about.
  recorded_at timestamptz NOT NULL,
  id uuid NOT NULL,
  type text NOT NULL,
  payload bytea NOT NULL,
  -- SHA-256 of the hash before (nothing at the first) and of what stands in this row: services/bid/src/event-chain.ts.
  hash bytea NOT NULL,
  PRIMARY KEY (item_id, version, recorded_at)
) PARTITION BY RANGE (recorded_at);

-- Of the last event in the history; empty: none yet. What is chained next is known with the item's lock.
ALTER TABLE items ADD COLUMN history_hash bytea NOT NULL DEFAULT '';

-- Makes the partitions of this month and the next three for those of our tables that are partitioned, as far as they
-- are missing; returns how many it made. Months, because what belongs to an item is looked for in each partition of
-- its life, a year at most. With the rights of the tables' owner, because services make no tables. Attached, not made in
-- place: that would lock out bids.
CREATE FUNCTION make_partitions() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET timezone = 'UTC' SET lock_timeout = '250ms'
AS $$
DECLARE
  this_month CONSTANT timestamptz := date_trunc('month', clock_timestamp());
  parent text;
  begins timestamptz;
  partition text;
  made integer := 0;
BEGIN
  PERFORM pg_advisory_xact_lock(7165112903);
  FOR parent IN SELECT relname FROM pg_class
    WHERE relkind = 'p' AND relnamespace = current_schema()::regnamespace
      AND relname IN ('bids', 'item_events')
    ORDER BY relname
  LOOP
    FOR months IN 0..3 LOOP
      begins := this_month + make_interval(months => months);
      partition := parent || to_char(begins, '"_"YYYY_MM');
      CONTINUE WHEN to_regclass(quote_ident(partition)) IS NOT NULL;
      EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', partition, parent);
      EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
        parent, partition, begins, begins + interval '1 month');
      made := made + 1;
    END LOOP;
  END LOOP;
  RETURN made;
END
$$;

DO $$
BEGIN
  -- Nothing of a caller's own comes before the tables of this schema.
  EXECUTE format('ALTER FUNCTION make_partitions() SET search_path = %I, pg_temp', current_schema());
  -- The first takes all that is older, too.
  EXECUTE format('CREATE TABLE %I PARTITION OF item_events FOR VALUES FROM (MINVALUE) TO (%L)',
    to_char(clock_timestamp() AT TIME ZONE 'UTC', '"item_events_"YYYY_MM'),
    (date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC');
  PERFORM make_partitions();
END
$$;

-- migrate:down

DROP FUNCTION make_partitions();
ALTER TABLE items DROP COLUMN history_hash;
DROP TABLE item_events;
