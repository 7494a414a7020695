-- Format 8: a log can go on on another PC (kinds moved-away, station-moved, move-undone). A program that does not know these kinds would
-- write to a log that has moved away, and refuse the one that has come. An index only; nothing stored or hashed is touched.
CREATE INDEX event_moved ON event (seq) WHERE kind IN ('moved-away', 'station-moved', 'move-undone');
