-- migrate:up

-- After the trigger has been committed, so that no item is left out, and without holding up bids.
INSERT INTO item_texts (item_id, words) SELECT id, item_words(title, description) FROM items
ON CONFLICT DO NOTHING;

-- Ends pay for it as long as it is there. Code of the version before searches by it: slowly, or not in time where
-- there are many items, until its last process is gone, and after a rollback to it. Who goes back for long makes the
-- index again, as below.
DROP INDEX items_by_words;

-- migrate:down

CREATE INDEX items_by_words ON items USING gin (item_words(title, description));
ALTER INDEX items_by_words ALTER COLUMN 1 SET STATISTICS 0;
