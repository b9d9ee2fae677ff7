-- migrate:up

-- Code of the version before knows neither: to it an item in mode RESET is one in mode ADD, whose number of
-- extensions is mostly 0 (off).
ALTER TABLE items
  ADD COLUMN soft_close_mode text NOT NULL DEFAULT 'add',
  ADD COLUMN soft_close_max_total_ms integer NOT NULL DEFAULT 0,
  ADD CONSTRAINT items_soft_close_mode CHECK (soft_close_mode IN ('add', 'reset')) NOT VALID;

-- An item may be ended before its time. Checked of old rows by the next migration, without holding up bids.
ALTER TABLE items DROP CONSTRAINT items_check;
ALTER TABLE items ADD CONSTRAINT items_times
  CHECK (start_at < original_end_at AND (original_end_at <= end_at OR status = 'ended')) NOT VALID;

-- migrate:down

ALTER TABLE items DROP CONSTRAINT items_times;
ALTER TABLE items ADD CONSTRAINT items_check
  CHECK (start_at < original_end_at AND original_end_at <= end_at) NOT VALID;
ALTER TABLE items DROP COLUMN soft_close_mode, DROP COLUMN soft_close_max_total_ms;
