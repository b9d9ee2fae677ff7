-- migrate:up

-- The inbox by the day of the event, so that what is old goes with its table. `inbox` itself becomes the
-- partition of all days without one of their own: it keeps its rows, takes those of late events, and is where
-- processes of the version before go on writing. Days get their partition no less than three days ahead, for
-- which that version may run beside; afterwards it is held up, and no event of its is lost.
CREATE TABLE inbox_events (
  event_id uuid NOT NULL,
  occurred_at timestamptz NOT NULL,
  received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  UNIQUE (event_id, occurred_at)
) PARTITION BY RANGE (occurred_at);
-- Says in a moment that nothing in a large partition is new.
CREATE INDEX inbox_events_by_arrival ON inbox_events USING brin (received_at) WITH (autosummarize = on);

-- Makes what is missing from the first to the last of these days, and leaves out those of which the default
-- partition has events already (a clock that was ahead).
CREATE FUNCTION make_inbox_days(first date, last date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  day date;
BEGIN
  FOR day IN SELECT first + n FROM generate_series(0, last - first) AS n LOOP
    CONTINUE WHEN to_regclass('inbox_' || to_char(day, 'YYYYMMDD')) IS NOT NULL;
    BEGIN
      EXECUTE format('CREATE TABLE %I PARTITION OF inbox_events FOR VALUES FROM (%L) TO (%L)',
        'inbox_' || to_char(day, 'YYYYMMDD'), day || ' 00:00+00', day + 1 || ' 00:00+00');
    EXCEPTION WHEN check_violation THEN
      CONTINUE;
    END;
  END LOOP;
END $$;

-- Makes the days to come, and drops those of which no event is a week old or less, by its own time and by its
-- arrival. Returns how many went. The service runs it with the rights of the tables' owner.
CREATE FUNCTION rotate_inbox() RETURNS integer LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
  today date := (clock_timestamp() AT TIME ZONE 'UTC')::date;
  old regclass;
  is_due_query text;
  is_due boolean;
  dropped integer := 0;
BEGIN
  IF NOT pg_try_advisory_xact_lock(7165112905) THEN RETURN 0; END IF;
  -- Batches queue behind whoever waits for an exclusive lock.
  PERFORM set_config('lock_timeout', '1s', true);
  PERFORM make_inbox_days(today + 3, today + 14);
  FOR old IN
    SELECT inhrelid::regclass FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
    WHERE inhparent = 'inbox_events'::regclass AND relname ~ '^inbox_\d{8}$'
      AND to_date(right(relname, 8), 'YYYYMMDD') < today - 7
  LOOP
    is_due_query := format('SELECT NOT EXISTS (SELECT FROM %s
      WHERE received_at > clock_timestamp() - interval ''7 days'')', old);
    EXECUTE is_due_query INTO is_due;
    CONTINUE WHEN NOT is_due;
    LOCK TABLE inbox_events IN ACCESS EXCLUSIVE MODE;
    -- Something late may have come in until the lock was granted.
    EXECUTE is_due_query INTO is_due;
    CONTINUE WHEN NOT is_due;
    EXECUTE format('DROP TABLE %s', old);
    dropped := dropped + 1;
  END LOOP;
  RETURN dropped;
END $$;

-- The version before writes to `inbox` by name. Where a day has a partition, that must fail as something that
-- passes: as a broken constraint it would count against the event.
CREATE FUNCTION refuse_inbox_of_day() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF to_regclass('inbox_' || to_char(NEW.occurred_at AT TIME ZONE 'UTC', 'YYYYMMDD')) IS NOT NULL THEN
    RAISE EXCEPTION 'this version no longer writes here: end it' USING ERRCODE = '55000';
  END IF;
  RETURN NEW;
END $$;

DO $$
DECLARE
  today date := (clock_timestamp() AT TIME ZONE 'UTC')::date;
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['make_inbox_days', 'rotate_inbox', 'refuse_inbox_of_day'] LOOP
    EXECUTE format('ALTER FUNCTION %I SET search_path = %I, pg_temp', name, current_schema());
  END LOOP;
  -- A store without events has nothing to spare.
  PERFORM make_inbox_days(
    CASE WHEN EXISTS (SELECT FROM inbox) THEN today + 3 ELSE today - 1 END, today + 14);
END $$;

ALTER TABLE inbox_events ATTACH PARTITION inbox DEFAULT;
CREATE TRIGGER refuse_inbox_of_day BEFORE INSERT ON inbox
  FOR EACH ROW EXECUTE FUNCTION refuse_inbox_of_day();

-- migrate:down

ALTER TABLE inbox_events DETACH PARTITION inbox;
DROP TRIGGER refuse_inbox_of_day ON inbox;
INSERT INTO inbox (event_id, occurred_at, received_at)
SELECT event_id, occurred_at, received_at FROM inbox_events;
DROP TABLE inbox_events;
DROP FUNCTION make_inbox_days, rotate_inbox, refuse_inbox_of_day;
ALTER TABLE inbox DROP CONSTRAINT inbox_event_id_occurred_at_key;
DROP INDEX inbox_received_at_idx;
