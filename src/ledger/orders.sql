-- Format 3: the cards of an order are found. An index only; nothing stored or hashed is touched.
CREATE INDEX event_order ON event (json_extract(body, '$.order'), json_extract(body, '$.outcome.word'))
    WHERE json_extract(body, '$.order') IS NOT NULL AND kind = 'attempt-closed';
