-- migrate:up

-- Makes the partitions of this month and the next two for every table of this schema that is partitioned, as far
-- as they are missing; returns how many it made. With the rights of the tables' owner, because services make no
-- tables. Attached, not made in place: that would lock out bids.
CREATE FUNCTION make_partitions() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET timezone = 'UTC'
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
    WHERE relkind = 'p' AND relnamespace = current_schema()::regnamespace ORDER BY relname
  LOOP
    FOR months IN 0..2 LOOP
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
END
$$;

-- migrate:down

DROP FUNCTION make_partitions();
