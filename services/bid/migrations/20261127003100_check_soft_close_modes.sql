-- migrate:up

ALTER TABLE items VALIDATE CONSTRAINT items_soft_close_mode;
ALTER TABLE items VALIDATE CONSTRAINT items_times;

-- migrate:down

SELECT 1;
