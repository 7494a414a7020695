-- Format 6: events of kinds that this program does not know are no attempts, whatever they hold. An index only; nothing stored or hashed is
-- touched. event_brief has every event with an outcome, of any kind; which of them are no attempt's end stands here, and is mostly empty.
CREATE INDEX event_foreign ON event (seq) WHERE json_extract(body, '$.outcome.word') IS NOT NULL
    AND kind NOT IN ('attempt-closed', 'attempt-changed');
