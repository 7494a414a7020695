-- Format 7: old months may be in archives. Two tables, which are empty in a log that has all its events; nothing stored or hashed is touched.

CREATE TABLE beginning (
    -- One row, if the chain in this file does not begin at event 1, or if the file is an archive.
    first INTEGER NOT NULL CHECK (first >= 1),     -- the first event of the chain in this file
    prev  BLOB NOT NULL CHECK (length(prev) = 32), -- hash of event first - 1; 32 zero bytes for the first
    why   TEXT NOT NULL CHECK (why IN ('archive', 'shortened'))
    -- archive: the file is an archive. It has every event of its range, and no station continues it
    -- shortened: the file is a log whose events before first are in archives. Of those it still has the events of the station, which belong
    -- to no attempt, as they were. The newest event archived binds them, and names the archives:
    --   first, last, last_hash   the events that were archived with it, and the hash of the last one, hexadecimal
    --   last_at               the newest time of an archived event, microseconds UTC
    --   attempts              the highest number of an attempt by then
    --   folder                the directory in which the archives were put
    --   files                 a list, in the order of the log:
    --     .name, .bytes, .blake3   the name of the file, its length, and its digest: what b3sum prints
    --     .month, .month_end   the month by the time zone of the PC, YYYY-MM, and its end, microseconds UTC
    --     .first, .last, .last_hash   its events
    --     .since, .until      the times of its oldest and its newest event, microseconds UTC
    --     .first_attempt, .last_attempt   null if it has none
    --   kept.count, .blake3   the events before event last + 1 that stayed, and BLAKE3 over their hashes in the order of the log
    --   cards.count, .blake3  the rows of archived_card, and BLAKE3 over them: see there
    --   boxes                 boxes of archived orders with cards behind event last: a list of order, box, until (the event of the last card)
    --   by.uid, by.user       the user who archived
) STRICT;

CREATE TABLE archived_card (
    -- What the station must still know of cards whose attempts are in archives: the newest end that touched the card, and the newest good one.
    -- Bound by the newest event archived: BLAKE3 over all columns of all rows in the order of the primary key; each column as the length of
    -- its bytes (8 bytes, little-endian) and its bytes, numbers as decimal text, null as a length of 2^64 - 1.
    how     TEXT NOT NULL,    -- cid, usb: as card.identified; slot: any card in this slot
    name    TEXT NOT NULL,    -- cid: card.cid.raw; usb: card.serial; slot: the slot
    more    TEXT NOT NULL,    -- usb: vendor, product and wwn as a JSON list; empty otherwise
    good    INTEGER NOT NULL, -- 0: the newest end; 1: the newest good one, if the newest is not good
    seq     INTEGER NOT NULL, -- the attempt-closed
    outcome TEXT NOT NULL,    -- outcome.word; attempt-changed for a card that was written to after its proof
    image   TEXT,             -- image.blake3
    counted INTEGER,          -- order
    PRIMARY KEY (how, name, more, good)
) STRICT, WITHOUT ROWID;
