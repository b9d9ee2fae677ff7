-- migrate:up

-- After the trigger has been committed, so that no item is left out, and without holding up bids.
INSERT INTO item_texts (item_id, words) SELECT id, item_words(title, description) FROM items
ON CONFLICT DO NOTHING;

-- Code that still searches by it reads all items, slowly, until the last such process is gone.
DROP INDEX items_by_words;

-- migrate:down

CREATE INDEX items_by_words ON items USING gin (item_words(title, description));
ALTER INDEX items_by_words ALTER COLUMN 1 SET STATISTICS 0;
