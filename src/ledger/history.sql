-- Format 5: it is found where a card counts no more, and a card by its name in capitals or small letters. Nothing stored or hashed is touched.
CREATE INDEX event_leaves_order ON event (json_extract(body, '$.leaves_order'), json_extract(body, '$.outcome.word'))
    WHERE json_extract(body, '$.leaves_order') IS NOT NULL AND kind = 'attempt-closed';

CREATE INDEX event_serial_any_case ON event (json_extract(body, '$.card.serial') COLLATE NOCASE)
    WHERE json_extract(body, '$.card.serial') IS NOT NULL;
CREATE INDEX event_cid_any_case ON event (json_extract(body, '$.card.cid.raw') COLLATE NOCASE)
    WHERE json_extract(body, '$.card.cid.raw') IS NOT NULL;
CREATE INDEX event_cid_serial_any_case ON event (json_extract(body, '$.card.cid.serial') COLLATE NOCASE)
    WHERE json_extract(body, '$.card.cid.serial') IS NOT NULL;
