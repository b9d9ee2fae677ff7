-- migrate:up

-- Search cuts words here and nowhere else: the index and the query go through the same functions, so an item
-- is found by its own words, whatever they are. (A parser that knows file paths, hosts and numbers takes
-- "AC/DC", "node.js" and "F-150" for one thing in a text and for another in a query.)
--
-- Everything is spelled out, ranges instead of classes: what a letter is must not hang on the locale of the
-- database, which is C where the project brings its own. Bodies are bound when they are made, so that no
-- search_path can change what is in an index. A change of any of this needs another index.

-- Text as words are compared: no case, no accents or vowel points, no invisible characters, wide and narrow
-- forms alike, a plain space between. "naïve" = "NAIVE", composed or not; "straße" = "STRASSE"; ς = σ.
CREATE FUNCTION fold_text(said text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN regexp_replace(
  CASE
    WHEN octet_length(said) = length(said) THEN lower(said COLLATE "und-x-icu")
    ELSE normalize(
      replace(
        lower(upper(
          regexp_replace(normalize(said, NFKD), '[\u00ad\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06dc\u180b-\u180e\u200c-\u200f\u202a-\u202e\u2060-\u2064\u20d0-\u20ff\ufe00-\ufe0f\ufeff\U000e0000-\U000e0fff]+', '', 'g') COLLATE "und-x-icu"
        )),
        'ς', 'σ'
      ),
      NFKC
    )
  END,
  '[\u0001-\u0020\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+', ' ', 'g'
);

-- Folded text with `instead` in place of everything that is no letter, digit or mark, and with "~" before what
-- has no spaces between its words: Chinese, Japanese, Thai, Lao, Burmese, Khmer, and symbols such as emoji.
-- The signs of "C++" and "C#" stay.
CREATE FUNCTION cut_text(folded text, instead text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN regexp_replace(
  regexp_replace(
    regexp_replace(folded, '[\u0021-\u0022\u0024-\u002a\u002c-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u007e\u00a1-\u00bf\u00d7\u00f7\u02b9-\u02df\u055a-\u055f\u0589-\u058f\u05be\u05c0\u05c3\u05c6\u05f3\u05f4\u0600-\u060f\u061b-\u061f\u066a-\u066d\u06d4\u0700-\u070d\u0964\u0965\u0970\u0df4\u0e2f\u0e4f\u0e5a\u0e5b\u0f01-\u0f17\u104a-\u104f\u10fb\u1360-\u1368\u17d4-\u17d6\u17d8-\u17da\u1800-\u180a\u200b\u2010-\u20cf\u2e00-\u2e7f\u3001-\u3004\u3008-\u3020\u3030\u303d-\u303f\u30a0\u30fb\ufd3e\ufd3f\ufe30-\ufe6f\ufff9-\ufffd]+', instead, 'g'),
    '[+#]+(?=[^ +#])', instead, 'g'
  ),
  '([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2190-\u2bff\u3005-\u30ff\u3100-\u312f\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U0001f000-\U0001faff\U00020000-\U0003ffff]+)', ' ~\1 ', 'g'
);

-- The words of a cut text: each by its first 64 characters; of what is marked, from each character the next four,
-- so that any part of it is found. `sought`: only those that it takes to say which part.
CREATE FUNCTION words_of(cut text, sought boolean) RETURNS SETOF text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT left(word, 64) FROM string_to_table(cut, ' ') AS word
  WHERE word NOT LIKE '~%' AND trim(word, '+#') <> ''
  UNION ALL
  SELECT gram FROM string_to_table(cut, ' ') AS word, LATERAL (
    SELECT concat(letter, lead(letter) OVER rest, lead(letter, 2) OVER rest, lead(letter, 3) OVER rest), place
    FROM string_to_table(substr(word, 2), NULL) WITH ORDINALITY AS letters (letter, place)
    WINDOW rest AS (ORDER BY place)
  ) AS grams (gram, place)
  WHERE word LIKE '~%' AND (place = 1 OR NOT sought OR length(gram) = 4);
END;

-- What an item can be found by, for the index. Signs within a word may be left out: "F-150" is f, 150 and f150.
CREATE FUNCTION item_words(title text, description text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 5000
BEGIN ATOMIC
  WITH texts AS MATERIALIZED (SELECT fold_text(title || ' ' || description) AS folded),
  cuts AS MATERIALIZED (SELECT cut_text(folded, ' ') || ' ' || cut_text(folded, '') AS cut FROM texts)
  SELECT array_to_tsvector(ARRAY(SELECT word FROM cuts, words_of(cut, false) AS word));
END;

-- A query over it: every word must begin one of the item's. A word with signs within may be an item's word
-- without them. Nothing but signs finds nothing.
CREATE FUNCTION words_query(query text) RETURNS tsquery
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
  WITH ways AS (
    SELECT place, string_agg(quote_literal(word) || ':*', ' & ') AS way
    FROM string_to_table(fold_text(query), ' ') WITH ORDINALITY AS said (chunk, place),
      unnest(ARRAY[' ', '']) AS instead,
      words_of(cut_text(chunk, instead), true) AS word
    GROUP BY place, instead
  ),
  chunks AS (SELECT string_agg(DISTINCT '(' || way || ')', ' | ') AS chunk FROM ways GROUP BY place)
  SELECT coalesce(string_agg('(' || chunk || ')', ' & '), '')::tsquery FROM chunks;
END;

DROP INDEX items_by_words;
CREATE INDEX items_by_words ON items USING gin (item_words(title, description));
-- The index is the way to find words, always: no need to cut 30,000 items' words at each ANALYZE to know that.
ALTER INDEX items_by_words ALTER COLUMN 1 SET STATISTICS 0;

-- migrate:down

DROP INDEX items_by_words;
DROP FUNCTION words_query(text);
DROP FUNCTION item_words(text, text);
DROP FUNCTION words_of(text, boolean);
DROP FUNCTION cut_text(text, text);
DROP FUNCTION fold_text(text);
CREATE INDEX items_by_words ON items
  USING gin (to_tsvector('simple', title || ' ' || description));
