-- Format 4: cards that were written to after their proof. An index, a trigger and the view anew; nothing stored or hashed is touched.

-- Which ends do not stand any more: few among millions.
CREATE INDEX event_changed ON event (json_extract(body, '$.closed.seq')) WHERE kind = 'attempt-changed';

CREATE TRIGGER event_changes_what_is_closed BEFORE INSERT ON event
BEGIN
    -- attempt-changed: a card that was proven and shown as good was written to by another program before it was taken out. Has all that
    -- attempt-closed has, with effort null, and
    --   outcome.word          changed
    --   sectors               how many sectors of 512 bytes were written or discarded
    --   closed.seq, .at, .word   the attempt-closed it takes the place of, and the outcome that stood there
    -- attempt-closed has since this format
    --   effort.writes_at_proof   the kernel's count of sectors of 512 bytes written to the disk or discarded, in its life, when the card was
    --                         proven (/sys/block/*/stat, seventh and fourteenth field); null where nothing is counted or proven
    SELECT RAISE(ABORT, 'the attempt is not closed in the flash log, or changed already')
    WHERE NEW.kind = 'attempt-changed'
        AND (EXISTS (SELECT 1 FROM event WHERE attempt = NEW.attempt AND kind = 'attempt-changed')
            OR NOT EXISTS (SELECT 1 FROM event WHERE attempt = NEW.attempt AND kind = 'attempt-closed'));
END;

DROP VIEW attempt;

CREATE VIEW attempt AS
SELECT
    -- One row an attempt. A closed attempt stands where its closing event stands; one whose card was written to by another program after
    -- it was proven, where that stands (attempt-changed); one without an end, where its start stands: its card is being written, or the
    -- station stopped and has not started since.
    seq,                                                              -- of the event the row stands for
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
    CASE WHEN kind <> 'attempt-started' THEN at END AS ended,         -- microseconds UTC
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
    json_extract(body, '$.outcome.at')           AS failed_at,        -- byte of the card
    json_extract(body, '$.effort.writes_at_proof') AS writes_at_proof -- sectors of 512 bytes
FROM event
WHERE kind = 'attempt-changed'
    OR (kind = 'attempt-closed' AND NOT EXISTS (
        SELECT 1 FROM event AS later WHERE later.attempt = event.attempt AND later.kind = 'attempt-changed'
    ))
    OR (kind = 'attempt-started' AND NOT EXISTS (
        SELECT 1 FROM event AS closing WHERE closing.attempt = event.attempt AND closing.kind = 'attempt-closed'
    ));
