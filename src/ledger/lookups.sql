-- Format 2: the log is found by card, by time and by what became of it. Indexes only; nothing stored or hashed is touched.
-- None is UNIQUE, for the reason told in format 1. An index over an expression holds the value itself: what it has is not read
-- from the events again (query.rs asks in the same words, and its tests hold that).

-- A card by what names it, whether it passed or is being written: the device's serial, or an SD card's own.
CREATE INDEX event_serial ON event (json_extract(body, '$.card.serial')) WHERE json_extract(body, '$.card.serial') IS NOT NULL;
CREATE INDEX event_cid ON event (json_extract(body, '$.card.cid.raw')) WHERE json_extract(body, '$.card.cid.raw') IS NOT NULL;
CREATE INDEX event_cid_serial ON event (json_extract(body, '$.card.cid.serial'))
    WHERE json_extract(body, '$.card.cid.serial') IS NOT NULL;

-- Where in the log a day stands. The order of events is seq, so a day may be spread where a clock was set back.
CREATE INDEX event_at ON event (at);

-- What was begun, in the log's order: whether it has ended is then event_attempt's to say, without a look into the events.
CREATE INDEX event_start ON event (seq, kind, json_extract(body, '$.attempt')) WHERE kind = 'attempt-started';

-- The station's own events: few among millions.
CREATE INDEX event_of_station ON event (kind, seq) WHERE attempt IS NULL;

-- Everything a summary counts, in the log's order. Only closed attempts have an outcome; asked by kind, which is no column here,
-- SQLite would look into the events after all.
CREATE INDEX event_brief ON event (
    seq,
    at,
    json_extract(body, '$.model'),
    json_extract(body, '$.slot'),
    json_extract(body, '$.outcome.word'),
    json_extract(body, '$.outcome.code'),
    json_extract(body, '$.effort.total_us'),
    json_extract(body, '$.image.blake3'),
    json_extract(body, '$.card.port'),
    json_extract(body, '$.card.bus'),
    json_extract(body, '$.card.vendor'),
    json_extract(body, '$.card.product'),
    json_extract(body, '$.card.cid.name'),
    json_extract(body, '$.card.capacity')
) WHERE json_extract(body, '$.outcome.word') IS NOT NULL;
