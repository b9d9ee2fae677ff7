-- migrate:up

-- Who did what, from where, under which rules: a row for each event, written with it, and rows for commands that were
-- refused because of who sent them. Addresses are personal data: whole months are dropped, as AUDIT_RETENTION_DAYS says, and nothing else
-- reads this table. Code that does not know it makes events without a row.
CREATE TABLE audit_entries (
  -- As in the history; of what was refused, when.
  recorded_at timestamptz NOT NULL,
  -- The event's; of what was refused its own.
  id uuid NOT NULL,
  -- The event's type; of what was refused the procedure.
  action text NOT NULL,
  -- Empty: the auctioneer; of what was refused, nobody who is known.
  user_id text COLLATE "C" NOT NULL,
  item_id uuid,
  version bigint,
  address text COLLATE "C" NOT NULL,
  user_agent text NOT NULL,
  request_id text COLLATE "C" NOT NULL,
  rules_version smallint NOT NULL,
  -- Why it was refused; null: it was done.
  refusal text,
  -- So often within a second.
  times integer NOT NULL DEFAULT 1
) PARTITION BY RANGE (recorded_at);
CREATE INDEX audit_entries_by_time ON audit_entries USING brin (recorded_at);
CREATE INDEX audit_entries_by_user ON audit_entries (user_id, recorded_at);
CREATE INDEX audit_entries_by_item ON audit_entries (item_id, recorded_at);

-- As before, for the audit log too.
CREATE OR REPLACE FUNCTION make_partitions() RETURNS integer
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
      AND relname IN ('audit_entries', 'bids', 'item_events')
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

-- Drops the months of the audit log that ended so many days ago, and returns how many they were. With the rights of the
-- table's owner, as above. Whoever holds one is waited for in the next hour.
CREATE FUNCTION drop_audit_partitions(days integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET timezone = 'UTC' SET lock_timeout = '250ms'
AS $$
DECLARE
  newest CONSTANT text := to_char(
    date_trunc('month', clock_timestamp() - make_interval(days => greatest(days, 1))), '"audit_entries_"YYYY_MM');
  partition text;
  dropped integer := 0;
BEGIN
  FOR partition IN SELECT c.relname FROM pg_inherits
    JOIN pg_class c ON c.oid = inhrelid
    WHERE inhparent = 'audit_entries'::regclass AND c.relname < newest
    ORDER BY c.relname
  LOOP
    EXECUTE format('DROP TABLE %I', partition);
    dropped := dropped + 1;
  END LOOP;
  RETURN dropped;
END
$$;

DO $$
BEGIN
  -- Nothing of a caller's own comes before the tables of this schema.
  EXECUTE format('ALTER FUNCTION make_partitions() SET search_path = %I, pg_temp', current_schema());
  EXECUTE format('ALTER FUNCTION drop_audit_partitions(integer) SET search_path = %I, pg_temp', current_schema());
  -- The first takes what a clock that was put back would have.
  EXECUTE format('CREATE TABLE %I PARTITION OF audit_entries FOR VALUES FROM (MINVALUE) TO (%L)',
    to_char(clock_timestamp() AT TIME ZONE 'UTC', '"audit_entries_"YYYY_MM'),
    (date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC');
  PERFORM make_partitions();
END
$$;

-- migrate:down

DROP FUNCTION drop_audit_partitions(integer);
DROP TABLE audit_entries;
