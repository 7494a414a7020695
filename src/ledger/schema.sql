-- The flash log, format 1. Applied once, to an empty database; later formats are steps from this one (MIGRATIONS in mod.rs).
--
-- Comments for readers of the file itself are inside the statements: SQLite keeps those.
CREATE TABLE event (
    -- Times are UTC, in microseconds since 1970-01-01T00:00:00Z, as the PC's clock gave them. A clock may be wrong or be
    -- set back: the order of events is seq, and nothing else.
    station TEXT NOT NULL,              -- this station's id: a version 4 UUID drawn when the log was made; not its name
    seq     INTEGER PRIMARY KEY NOT NULL, -- 1, 2, 3 … without a gap
    kind    TEXT NOT NULL,              -- log-created, station-started, station-stopped, model-armed, attempt-started, attempt-closed;
                                        -- approval, maintenance; disarmed, rearmed, order-started, order-stopped, box-closed, card-returned;
                                        -- quarantined, suspected; prover-proven, prover-failed, prover-unproven
    at      INTEGER NOT NULL,           -- when it happened (not when it reached the disk), microseconds UTC
    body    TEXT NOT NULL CHECK (json_valid(body)), -- canonical JSON: keys in byte order, no spaces, whole numbers only
    prev    BLOB NOT NULL CHECK (length(prev) = 32), -- hash of event seq - 1; 32 zero bytes for the first
    hash    BLOB NOT NULL CHECK (length(hash) = 32), -- BLAKE3, unkeyed, over the six fields below, in this order:
    --      prev, station, seq, kind, at, body
    -- each as the length of its bytes (8 bytes, little-endian), then the bytes: prev as it is, texts in UTF-8,
    -- seq and at as 8 bytes, little-endian, two's complement.

    -- The number of the attempt an event belongs to; nothing for the station's own events. Derived, not stored, not hashed.
    attempt INTEGER GENERATED ALWAYS AS (json_extract(body, '$.attempt')) VIRTUAL

    -- The keys of body, by kind. A key that does not apply is null. Bytes are counts, or offsets from the card's first byte.
    --
    -- every kind
    --   clock.boot            the kernel's boot id
    --   clock.since_boot_ms   milliseconds since boot, suspend included; never set back
    --   clock.synced          true: the clock was set from the network; false: not yet; null: unknown
    --   station_name          the station's configured name at that time
    -- log-created
    --   confirm               true: a user must confirm that this log was begun anew on purpose; not in logs of older programs
    --   machine               the PC this log belongs to: BLAKE3 derived key of its /etc/machine-id (the id itself is private)
    -- station-started
    --   version               the program's version
    --   volatile              why the log would be lost when the power fails: it is kept in memory; null: it is on a disk
    -- log-confirmed: a user confirmed that this log was begun anew on purpose
    --   by.uid, by.user       the user
    -- restart-asked: no card is begun any more, and the station restarts when the last one is out
    --   by.uid, by.user       who
    -- model-armed
    --   model                 the model as slots name it; not in logs of older programs
    --   first_off             wanted: from here on one card may be made, and the others wait for its approval; as-before: image, model and
    --                         configuration are those of before, and so is the approval; null: no approval is wanted
    --   image                 as under attempt-started
    --   uncovered             the checks that could not be made when the image was inspected, a list of sentences
    --   by.occasion           start: the station started; reload: it was told to read its configuration again; restage: the staged copy
    --                         was damaged, and the station staged the same image anew from its source
    --   by.config             the configuration that names the image
    --   by.config_blake3      digest of that file as it was read, hexadecimal: what b3sum prints
    --   by.config_owner, by.config_owner_uid   the owner of that file: user name, or number if there is no name; and the number
    --   by.config_changed     when it was last written, microseconds UTC
    --   by.asked_by.uid, .user   the user who requested the reload; null if unknown
    -- approval: a user who did not arm the image approved the first card that was made with it: the others may be made
    --   model, image          as under model-armed
    --   config_blake3         the configuration, as by.config_blake3 there
    --   first_card.attempt, .slot, .serial   the card: the attempt that made it, its slot, and its serial as far as it has one
    --   by.uid, by.user       the user who approved it
    -- disarmed, rearmed: a slot, or every slot of a model, was taken out of work, or re-enabled
    --   slot, model           which; one of them is null
    --   by.uid, by.user       the user; uid is null if the station did it by itself, because the staged copy of the model's image is
    --                         damaged or cannot be read: that ends with the next model-armed, or with the next start
    --   reason                disarmed only: the reason, as the user said
    --   image                 disarmed by the station only: as under attempt-started
    -- quarantined: more cards failed in a slot than chance explains, compared with cards of the same type and lot in other slots. The station
    --                         closed the slot, until a rearmed of it; from there on its cards are counted anew
    --   slot                  the slot's name
    --   failed, of            the number of its failed cards, and of all that it wrote to their end, among the last of every slot; only cards
    --                         of a type and lot that other slots wrote, too
    --   others_failed, others_of   the same of the other slots
    -- suspected: the same of a reader, a hub, a card type or a card lot. Nothing was closed for it
    --   what                  reader, hub, card-type, lot
    --   name                  the reader or hub as ports name it; make and nominal size of the cards; the lot: OEM and date of the card's own
    --                         register, or card_lot
    --   card_type             lot only: make and nominal size of its cards
    --   failed, of, others_failed, others_of   as under quarantined; cards of a type or lot are compared within each slot
    -- order-started, order-stopped: an order of a number of good cards of a model
    --   order                 its number, counted over the life of this log
    --   model                 BRAND/MODEL
    --   name                  the name of the order
    --   work_order            its work order, as the factory's own system names it; null if none was given
    --   count, passed         the number of ordered cards, and of good ones by then
    --   box_size              the number of good cards that fill a box of this order; null if boxes are not counted, and in older logs
    --   by.uid, by.user       the user who did it
    -- box-closed: the station closed a box of an order, and the next good card goes to the next box
    --   order, model, name, work_order, count, passed, box_size   as under order-started
    --   box                   its number within the order: 1, 2, 3 … without a gap
    --   cards                 the number of good cards in it
    --   why                   full; order-complete, order-stopped: with fewer cards than fill it
    --   last_attempt          the attempt of the last card in it; null: the station closed it at a start, or because its order was stopped.
    --                         Then, of the order's cards that were good just before this event, it holds those that follow the cards of
    --                         earlier boxes: as many as cards says, and where why is not full, all that are left
    -- prover-proven: on a file of the state disk, the verifier of this program found every fault that was planted, and called a healthy
    --                         medium good. Until that no card is begun
    -- prover-failed: it missed a fault, or called the healthy medium bad: no card is begun, and no card passes any more in this run
    -- prover-unproven: it could not be tried, and that was not its fault: no card is begun until it is proven
    --   occasion              start: the station had started; shift: a shift had begun
    --   station_version       as under attempt-started
    --   direct                prover-proven: true: past the page cache, as a card is; false: the file system does not allow that
    --   planted               prover-proven: the number of faults that were planted and found
    --   took_us               prover-proven: microseconds
    --   fault, fault_at       prover-failed: the planted fault, and its byte of the medium; null for the healthy medium
    --   code                  prover-unproven: what was in the way: disk-full, disk-read-only, disk-error, disk-silent, internal
    --   reason                prover-failed, prover-unproven: as a sentence
    -- card-returned: a card left the bus with its device and came back by itself; it was not begun for that
    --   slot                  the slot's name, as on its sticker
    --   card                  as under attempt-started, as far as it was known so soon
    --   times                 the number of times since a card was put in by hand; the 1st, 2nd, 4th, 8th … time has an event
    -- maintenance: a user works on the station, and no card is begun; or has ended that
    --   state                 on; off
    --   reason                on only: the reason, as the user said
    --   by.uid, by.user       the user
    -- moved-away: the log was copied for another PC. No PC writes it behind this event, until station-moved or move-undone
    --   to                    the folder of the copy, as the user named it
    --   by.uid, by.user       the user
    -- station-moved: the log was restored from a backup, and goes on on this PC
    --   machine               the PC that the log is bound to from here on, as under log-created
    --   from                  the PC that it was bound to before
    --   planned               true: it had moved away before, so that nothing is missing; false: events that the old PC recorded after the
    --                         backup are missing
    --   backup.anchor, .at    the head of the log in the backup, COUNT:HASH; when the backup was made, microseconds UTC
    --   by.uid, by.user       the user
    -- move-undone: the move was taken back, and the log goes on on the PC that it had left
    --   reason                the reason, as the user said
    --   by.uid, by.user       the user
    -- label, unit, operator, harvest: reserved for a printed label, a device that was built of cards, the operator at the station, reports
    --                         of devices. Like every kind that a reader does not know, they are shown unchanged, and not counted
    -- attempt-started: durable before the first byte is written
    --   attempt               number, counted over the life of this log
    --   slot                  the slot's name, as on its sticker
    --   model                 BRAND/MODEL by the model assertion inside the image; as the slot names it if the image was not inspected
    --   image.blake3          digest of the raw image, hexadecimal: what b3sum prints
    --   image.source          the file it came from, as configured
    --   image.span            raw length, bytes
    --   image.block           logical block its partition table was made for, bytes
    --   image.model           BRAND/MODEL it is the image of, as above
    --   image.model_proof.class   proven: signatures reach from the model and every snap to a trusted root; matching: the model
    --                         inside is the configured one, signatures were not required; none: the image was not inspected
    --   image.model_proof.brand, .model, .series, .revision   of the model assertion inside
    --   image.model_proof.sha3_384, .sign_key   digest of that assertion, and the key that signed it
    --   image.zeroes          how its zeroes are handled: prove, write, skip
    --   card.port             its port: controller and port chain, never a /dev name
    --   card.bus              usb, mmc-sd, …
    --   card.vendor, card.product, card.serial, card.wwn   as the device says; those of a reader if card.identified says so
    --   card.cid.raw          an SD card's identification register, 32 hexadecimal digits
    --   card.cid.manfid, .oemid, .name, .serial, .date, .hwrev, .fwrev   its parts as sysfs gives them
    --   card.identified       how far the above identify the card: cid, usb, reader-only, none
    --   card.capacity         bytes
    --   card.block            logical block, bytes
    --   card.diskseq          the kernel's count of media in this boot
    --   card.devnum, card.kernel_name   MAJOR:MINOR and name in that visit; reused, never an identity
    --   card.write_protected, card.partitioned   its state before the attempt
    --   order                 the order in which it is counted if it is good; null if there is none
    --   leaves_order          the order in which this card was counted before, and is no longer counted when the attempt ends like
    --                         this; null if there is none. In attempt-started: if the station stops before the end
    --   station_version.program, .build, .prover   the program's version, the BLAKE3 of its file, and what judges the card: a word
    --   work_order            the work order of the card, from its order or from `flashline flash`; null if none was given
    --   operator              the operator of `flashline flash`, as they say; null for a card of a station, which does not ask
    --   card_lot              the lot of the blank card, as they say; null if none was given
    --   second_try_of         attempt-closed: the attempt in another slot in which this card failed before, if it was recognised by its register
    --                         or by the tombstone of that attempt; null otherwise, and not in rows of older programs
    --   plan                  write; write-unless-done: it is not written if it holds the image already; recheck-only: it is not written
    -- attempt-closed: exactly one for every attempt; it has all keys of attempt-started, and
    --   start.seq, start.at   its attempt-started; null if admission refused the card and nothing was started
    --   outcome.word          passed, passed-mapped-only, failed, refused, pulled, interrupted; station-fault: the station itself failed,
    --                         and neither card nor slot caused it; recheck, recheck-mapped-only: it
    --                         held the image already, nothing was written, and it is not counted again; passed-as-found,
    --                         passed-as-found-mapped-only: the same of a card that this log has no good row of, counted here
    --   outcome.code          the reason in one stable word
    --   outcome.reason        the reason as a sentence
    --   outcome.at            byte of the card at which it failed
    --   outcome.proof.class   passed, recheck: whole; passed-mapped-only, recheck-mapped-only: mapped-only: the image's zeroes were not read back
    --   outcome.proof.bytes   passed-mapped-only: the number of bytes of the span that were read back and are the image's data
    --   outcome.proof.blake3  passed only: digest of the bytes read from the card, every byte of the span, hexadecimal
    --   effort                null if the station did not stop on request and closed the attempt at its next start
    --   effort.written        bytes sent to the card, with tombstone and head
    --   effort.read           bytes read from the card
    --   effort.writing_us, effort.reading_us, effort.total_us, effort.slowest_call_us   microseconds
    --   effort.slowest_call.act, .at   the operation of the slowest call (writing, reading back, flushing), and the byte where it began
    --   effort.tombstone      the number of the tombstone that was written into the head, 32 hexadecimal digits; null if nothing was written
    --   effort.found_tombstone   the number of the tombstone that was in the head before; null if there was none, or it was not looked for
    --   effort.retries        the number of reads and writes that were repeated after an error; not in rows of older programs
    --   effort.writing_kib_s, effort.reading_kib_s   KiB a second along the image, a list of 32 parts of equal length; null for a
    --                         part in which nothing was moved, and for the list if nothing was moved at all
    --   effort.head           the contents of the card's head: untouched (nothing was written), tombstone (it cannot boot), image,
    --                         unknown (the tombstone could not be put back: it may boot)
    --   effort.flush          how the card's own volatile cache was emptied: asked (a SCSI device that was told so at every flush), refused
    --                         (one that does not know the command: it has no cache), unanswered (one that does not answer it, or leaves the
    --                         bus: only the kernel's own flushes reach it), none (not a SCSI device: the kernel flushes it); null if nothing
    --                         was written
) STRICT;

-- No other index may be UNIQUE: INSERT OR REPLACE deletes the rows it collides with, and a DELETE trigger fires for that
-- only if recursive_triggers is on, which every program that opens this file decides for itself.
CREATE INDEX event_attempt ON event (attempt, kind) WHERE attempt IS NOT NULL;

CREATE TRIGGER event_is_never_changed BEFORE UPDATE ON event
BEGIN
    SELECT RAISE(ABORT, 'the flash log only grows: an event is never changed');
END;

CREATE TRIGGER event_is_never_removed BEFORE DELETE ON event
BEGIN
    SELECT RAISE(ABORT, 'the flash log only grows: an event is never removed');
END;

-- Fires before a conflict is searched, and so before INSERT OR REPLACE, OR IGNORE or ON CONFLICT DO UPDATE act on one.
CREATE TRIGGER event_follows_the_last BEFORE INSERT ON event
BEGIN
    SELECT RAISE(ABORT, 'the flash log only grows: seq is not one more than the last')
    WHERE NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM event);

    SELECT RAISE(ABORT, 'the flash log only grows: prev is not the hash of the last event')
    WHERE NEW.prev IS NOT coalesce((SELECT hash FROM event ORDER BY seq DESC LIMIT 1), zeroblob(32));

    SELECT RAISE(ABORT, 'the flash log is of another station')
    WHERE NEW.station IS NOT coalesce((SELECT station FROM event ORDER BY seq DESC LIMIT 1), NEW.station);

    SELECT RAISE(ABORT, 'the attempt is already in the flash log')
    WHERE NEW.kind = 'attempt-started' AND EXISTS (SELECT 1 FROM event WHERE attempt = NEW.attempt);

    SELECT RAISE(ABORT, 'the attempt is already closed in the flash log')
    WHERE NEW.kind = 'attempt-closed'
        AND EXISTS (SELECT 1 FROM event WHERE attempt = NEW.attempt AND kind = 'attempt-closed');
END;

CREATE VIEW attempt AS
SELECT
    -- One row per attempt. A closed attempt has the place of its closing event; an open one that of its start: its card is
    -- being written, or the station stopped and has not started since.
    seq,                                                              -- of the row's event
    station                                      AS station_id,
    json_extract(body, '$.station_name')         AS station_name,
    attempt,
    json_extract(body, '$.slot')                 AS slot,
    json_extract(body, '$.card.port')            AS port,
    json_extract(body, '$.model')                AS model,
    json_extract(body, '$.image.blake3')         AS image_blake3,
    json_extract(body, '$.image.source')         AS image_source,
    json_extract(body, '$.image.span')           AS image_span,       -- bytes
    json_extract(body, '$.image.model_proof.class') AS model_proof,
    json_extract(body, '$.image.model_proof.brand') AS model_brand,
    json_extract(body, '$.image.model_proof.model') AS model_name,
    json_extract(body, '$.image.model_proof.series') AS model_series,
    json_extract(body, '$.image.model_proof.revision') AS model_revision,
    json_extract(body, '$.image.model_proof.sha3_384') AS model_sha3_384,
    json_extract(body, '$.image.model_proof.sign_key') AS model_sign_key,
    json_extract(body, '$.card.bus')             AS bus,
    json_extract(body, '$.card.vendor')          AS vendor,
    json_extract(body, '$.card.product')         AS product,
    json_extract(body, '$.card.serial')          AS serial,
    json_extract(body, '$.card.wwn')             AS wwn,
    json_extract(body, '$.card.cid.raw')         AS cid,
    json_extract(body, '$.card.cid.manfid')      AS cid_manfid,
    json_extract(body, '$.card.cid.oemid')       AS cid_oemid,
    json_extract(body, '$.card.cid.name')        AS cid_name,
    json_extract(body, '$.card.cid.serial')      AS cid_serial,
    json_extract(body, '$.card.cid.date')        AS cid_date,
    json_extract(body, '$.card.cid.hwrev')       AS cid_hwrev,
    json_extract(body, '$.card.cid.fwrev')       AS cid_fwrev,
    json_extract(body, '$.card.identified')      AS identified,
    json_extract(body, '$.card.capacity')        AS capacity,         -- bytes
    json_extract(body, '$.card.block')           AS block,            -- bytes
    json_extract(body, '$.card.diskseq')         AS diskseq,
    CASE kind WHEN 'attempt-started' THEN at ELSE json_extract(body, '$.start.at') END AS started, -- microseconds UTC
    CASE kind WHEN 'attempt-closed' THEN at END  AS ended,            -- microseconds UTC
    json_extract(body, '$.clock.synced')         AS clock_synced,     -- 1, 0 or null, when the event was made
    json_extract(body, '$.effort.written')       AS bytes_written,
    json_extract(body, '$.effort.read')          AS bytes_read,
    json_extract(body, '$.effort.writing_us')    AS writing_us,
    json_extract(body, '$.effort.reading_us')    AS reading_us,
    json_extract(body, '$.effort.total_us')      AS total_us,
    json_extract(body, '$.effort.slowest_call_us') AS slowest_call_us,
    json_extract(body, '$.effort.slowest_call.act') AS slowest_call_act,
    json_extract(body, '$.effort.slowest_call.at') AS slowest_call_at, -- byte of the card
    json_extract(body, '$.effort.writing_kib_s') AS writing_kib_s,    -- JSON list
    json_extract(body, '$.effort.reading_kib_s') AS reading_kib_s,    -- JSON list
    json_extract(body, '$.outcome.proof.blake3') AS readback_blake3,
    json_extract(body, '$.outcome.proof.class')  AS readback_class,
    coalesce(json_extract(body, '$.outcome.word'), 'running') AS outcome,
    json_extract(body, '$.outcome.code')         AS code,
    json_extract(body, '$.outcome.reason')       AS reason,
    json_extract(body, '$.outcome.at')           AS failed_at         -- byte of the card
FROM event
WHERE kind = 'attempt-closed'
    OR (kind = 'attempt-started' AND NOT EXISTS (
        SELECT 1 FROM event AS closing WHERE closing.attempt = event.attempt AND closing.kind = 'attempt-closed'
    ));
