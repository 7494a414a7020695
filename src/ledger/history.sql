-- Format 5: it is found where a card counts no more. Nothing stored or hashed is touched.
CREATE INDEX event_leaves_order ON event (json_extract(body, '$.leaves_order'), json_extract(body, '$.outcome.word'))
    WHERE json_extract(body, '$.leaves_order') IS NOT NULL AND kind = 'attempt-closed';
