-- migrate:up

-- Lists of one currency, newest first.
CREATE INDEX items_by_currency ON items (currency, id);

-- migrate:down

DROP INDEX items_by_currency;
