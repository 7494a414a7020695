//! Queries of a log: attempts by card, time, model, slot and outcome. Each page is read in its own transaction. So the station can
//! checkpoint and cut its `-wal` however long a reader takes.
//!
//! The log only grows, so everything up to one event stays as it is: a query covers the events up to the newest one at its start, and its
//! pages are consistent whatever is appended in the meantime.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::ops::ControlFlow;
use std::vec;

use rusqlite::{Connection, OptionalExtension, Transaction, named_params};

use crate::station::outcome::{OutcomeWord, code_today};
use crate::station::units::to_u64;

use super::error::{Doing, LogError, LogProblem};
use super::reader::{LogReader, to_count};
use super::row::Row;

/// The most rows of a page: a few tenths of a megabyte.
const PAGE: usize = 512;

/// Events that a page reads before it ends its transaction, at first and at most: a query for the newest few reads little, and a query
/// without a result holds nothing for long.
const FIRST_WINDOW: i64 = 2048;
const WINDOW: i64 = 65_536;

/// The order in which attempts are returned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// The order of the log.
    #[default]
    OldestFirst,
    /// The reverse order.
    NewestFirst,
}

/// The requested attempts; all of them by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this model only, `BRAND/MODEL`.
    pub model: Option<String>,
    /// That ended (or, while they run, began) at this time or later: UTC, microseconds since 1970.
    pub since: Option<i64>,
    /// That ended (or, while they run, began) before this time.
    pub until: Option<i64>,
    /// Of this slot only.
    pub slot: Option<String>,
    /// With this outcome only; `running` is one.
    pub outcome: Option<String>,
    /// Of cards whose serial, CID or serial number within the CID is or begins with this, in upper or lower case: labels and scanners use
    /// capitals, and the kernel gives the card's own spelling.
    pub serial: Option<String>,
    /// Only events behind this one: those that are new since a reader read the log up to there.
    pub after: Option<u64>,
    /// At most this many rows, the newest ones, in any order.
    pub limit: Option<u32>,
    /// The order of the rows.
    pub order: Direction,
}

impl Filter {
    fn takes(&self, row: &Row) -> bool {
        let is = |wanted: &Option<String>, value: Option<&str>| wanted.as_deref().is_none_or(|wanted| value == Some(wanted));
        is(&self.model, row.model.as_deref())
            && is(&self.slot, row.slot.as_deref())
            && is(&self.outcome, Some(row.outcome.as_str()))
            && self.since.is_none_or(|since| row.at().is_some_and(|at| at >= since))
            && self.until.is_none_or(|until| row.at().is_some_and(|at| at < until))
            && self.serial.as_deref().is_none_or(|serial| {
                [&row.serial, &row.cid, &row.cid_serial].into_iter().any(|name| name.as_ref().is_some_and(|name| begins_with(name, serial)))
            })
    }

    fn takes_running(&self) -> bool {
        self.outcome.as_deref().is_none_or(|outcome| outcome == OutcomeWord::Running.as_str())
    }

    fn takes_closed(&self) -> bool {
        self.outcome.as_deref() != Some(OutcomeWord::Running.as_str())
    }
}

fn begins_with(name: &str, beginning: &str) -> bool {
    name.as_bytes().get(..beginning.len()).is_some_and(|head| head.eq_ignore_ascii_case(beginning.as_bytes()))
}

/// The facts of a closed attempt that a summary counts. Times are UTC, in microseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Brief<'r> {
    /// The number of the event that closes the attempt.
    pub seq: u64,
    /// When the attempt ended.
    pub at: i64,
    /// `BRAND/MODEL` of the slot.
    pub model: Option<&'r str>,
    /// The slot, by the name on its sticker.
    pub slot: Option<&'r str>,
    /// How the attempt ended.
    pub outcome: &'r OutcomeWord,
    /// The reason in one stable word.
    pub code: Option<&'r str>,
    /// Claim to end, microseconds.
    pub total_us: Option<u64>,
    /// BLAKE3 of the image, hexadecimal.
    pub image_blake3: Option<&'r str>,
    /// The port of the card; up to the last `/` it names the reader.
    pub port: Option<&'r str>,
    /// How the card was attached.
    pub bus: Option<&'r str>,
    /// Maker, as the device says.
    pub vendor: Option<&'r str>,
    /// Product, as the device says.
    pub product: Option<&'r str>,
    /// Product name in an SD card's own register.
    pub cid_name: Option<&'r str>,
    /// The capacity that the card claims, in bytes.
    pub capacity: Option<u64>,
}

/// The receiver of briefs.
type Each<'e> = dyn FnMut(&Brief<'_>) -> ControlFlow<()> + 'e;

/// Attempts, read page by page. See [`LogReader::attempts`].
#[derive(Debug)]
pub struct Attempts<'r> {
    reader: &'r LogReader,
    filter: Filter,
    /// `None` until the first page is read.
    search: Option<Search>,
    page: vec::IntoIter<Row>,
    /// The number of attempts still wanted.
    left: u64,
    ended: bool,
}

/// The range in which matching events are searched.
#[derive(Debug)]
enum Search {
    /// In the log's order, between two events, both included.
    Span { low: i64, high: i64, newest: i64, session: i64, window: i64 },
    /// Only these events can match.
    These { events: VecDeque<i64>, newest: i64 },
}

impl LogReader {
    /// The attempts that pass `filter`, as the log is at the first one; none is read before it is requested.
    #[must_use]
    pub fn attempts(&self, filter: &Filter) -> Attempts<'_> {
        let left = filter.limit.map_or(u64::MAX, u64::from);
        Attempts { reader: self, filter: filter.clone(), search: None, page: Vec::new().into_iter(), left, ended: false }
    }

    /// Calls `each` for every closed attempt that passes `filter`, until it breaks. The order and the limit of `filter` apply; its serial
    /// does not, because a summary is never about one card.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn briefs(&self, filter: &Filter, mut each: impl FnMut(&Brief<'_>) -> ControlFlow<()>) -> Result<(), LogError> {
        self.tell(filter, &mut each)
    }

    fn tell(&self, filter: &Filter, each: &mut Each<'_>) -> Result<(), LogError> {
        let failed = |error| self.failed(error);
        let asked = self.within(|log| {
            let newest = newest(log)?;
            Ok((span(log, filter, newest)?, superseded(log, newest)?))
        })?;
        let (Some((mut low, mut high)), superseded) = asked else { return Ok(()) };
        if filter.order == Direction::OldestFirst && filter.limit.is_some() {
            // The place of the first of the newest attempts.
            let mut first = high + 1;
            let back = Filter { order: Direction::NewestFirst, ..filter.clone() };
            self.tell(&back, &mut |brief| {
                first = i64::try_from(brief.seq).unwrap_or(first);
                ControlFlow::Continue(())
            })?;
            low = first;
        }
        let backwards = filter.order == Direction::NewestFirst;
        let mut left = filter.limit.map_or(u64::MAX, u64::from);
        while low <= high && left > 0 {
            let (from, to) = window(low, high, WINDOW, backwards);
            let transaction = self.begin().map_err(failed)?;
            let flow = page_of_briefs(&transaction, filter, (from, to), &superseded, &mut left, each).map_err(failed)?;
            if flow.is_break() {
                return Ok(());
            }
            if backwards {
                high = from - 1;
            } else {
                low = to + 1;
            }
        }
        Ok(())
    }
}

impl LogReader {
    /// Names of cards in the log, in no order; for a long log not all.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub(crate) fn card_names(&self) -> Result<BTreeSet<String>, LogError> {
        self.within(|log| {
            let mut names = BTreeSet::new();
            for (name, index) in NAMES.iter().zip(["event_serial", "event_cid", "event_cid_serial"]) {
                let name = format!("json_extract(body, '$.card.{name}')");
                let question = format!("SELECT {name} FROM event INDEXED BY {index} WHERE {name} IS NOT NULL LIMIT 200000");
                let mut query = log.prepare(&question)?;
                let mut rows = query.query([])?;
                while let Some(row) = rows.next()? {
                    if let Some(name) = row.get_ref(0)?.as_str_or_null()?.filter(|name| !names.contains(*name)) {
                        names.insert(name.to_owned());
                    }
                }
            }
            Ok(names)
        })
    }
}

impl Iterator for Attempts<'_> {
    type Item = Result<Row, LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.left == 0 || self.ended {
                return None;
            }
            if let Some(row) = self.page.next() {
                self.left -= 1;
                return Some(Ok(row));
            }
            match self.turn() {
                Ok(true) => {}
                Ok(false) => self.ended = true,
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            }
        }
    }
}

impl Attempts<'_> {
    /// The next page, which may be empty; false if there is none.
    fn turn(&mut self) -> Result<bool, LogError> {
        let mut search = match self.search.take() {
            Some(search) => search,
            None => match self.begin()? {
                Some(search) => search,
                None => return Ok(false),
            },
        };
        let transaction = self.reader.begin().map_err(|error| self.reader.failed(error))?;
        let found = search.page(&transaction, &self.filter).map_err(|error| self.reader.failed(error))?;
        let Some((events, newest)) = found else { return Ok(false) };
        self.page = self.read(&transaction, &events, newest)?.into_iter();
        self.search = Some(search);
        Ok(true)
    }

    fn begin(&self) -> Result<Option<Search>, LogError> {
        let filter = &self.filter;
        let mut search = self.reader.within(|log| search(log, filter))?;
        if filter.order == Direction::OldestFirst
            && filter.limit.is_some()
            && let Some(search) = &mut search
        {
            // The place of the first of the newest attempts, as of the same moment.
            let back = Filter { order: Direction::NewestFirst, ..filter.clone() };
            let mut attempts = self.reader.attempts(&back);
            attempts.search = Some(search.turned());
            if let Some(first) = attempts.last().transpose()? {
                search.skip_to(i64::try_from(first.seq).unwrap_or(i64::MAX));
            }
        }
        Ok(search)
    }

    fn read(&self, log: &Connection, events: &[i64], newest: i64) -> Result<Vec<Row>, LogError> {
        let failed = |error| self.reader.failed(error);
        let mut rows = Vec::with_capacity(events.len());
        for event in events {
            let row = row_at(log, *event, newest).map_err(failed)?;
            let Some(row) = row else { continue };
            let row = row.map_err(|()| {
                LogError::new(Doing::Reading, self.reader.path(), LogProblem::Broken { seq: u64::try_from(*event).unwrap_or(0) })
            })?;
            if self.filter.takes(&row) {
                rows.push(row);
            }
        }
        Ok(rows)
    }
}

impl Search {
    /// The events of the next page, and the newest event in the same view.
    fn page(&mut self, log: &Connection, filter: &Filter) -> rusqlite::Result<Option<(Vec<i64>, i64)>> {
        let backwards = filter.order == Direction::NewestFirst;
        match self {
            Self::These { events, newest } => {
                if events.is_empty() {
                    return Ok(None);
                }
                let page = events.drain(..events.len().min(PAGE)).collect();
                Ok(Some((page, *newest)))
            }
            Self::Span { low, high, newest, session, window: size } => {
                if low > high {
                    return Ok(None);
                }
                let (mut from, mut to) = window(*low, *high, *size, backwards);
                *size = (*size * 2).min(WINDOW);
                let mut events = if filter.takes_closed() { closed(log, filter, (from, to), backwards)? } else { Vec::new() };
                // A full page ends at its last row.
                if events.len() == PAGE
                    && let Some(last) = events.last()
                {
                    if backwards { from = *last } else { to = *last }
                }
                if filter.takes_running() && to > *session {
                    events.extend(running(log, (from.max(*session + 1), to), *newest)?);
                    events.sort_unstable();
                    if backwards {
                        events.reverse();
                    }
                }
                if backwards {
                    *high = from - 1;
                } else {
                    *low = to + 1;
                }
                Ok(Some((events, *newest)))
            }
        }
    }

    /// The same, in the other direction.
    fn turned(&self) -> Self {
        match self {
            Self::Span { low, high, newest, session, .. } => {
                Self::Span { low: *low, high: *high, newest: *newest, session: *session, window: FIRST_WINDOW }
            }
            Self::These { events, newest } => Self::These { events: events.iter().rev().copied().collect(), newest: *newest },
        }
    }

    fn skip_to(&mut self, first: i64) {
        match self {
            Self::Span { low, .. } => *low = first,
            Self::These { events, .. } => events.retain(|event| *event >= first),
        }
    }
}

/// The part of a span that comes first.
fn window(low: i64, high: i64, size: i64, backwards: bool) -> (i64, i64) {
    if backwards { (low.max(high - size + 1), high) } else { (low, high.min(low + size - 1)) }
}

fn newest(log: &Connection) -> rusqlite::Result<i64> {
    log.prepare_cached("SELECT coalesce(max(seq), 0) FROM event")?.query_row([], |row| row.get(0))
}

fn search(log: &Connection, filter: &Filter) -> rusqlite::Result<Option<Search>> {
    let newest = newest(log)?;
    if let Some(serial) = &filter.serial {
        let mut events = of_card(log, serial, filter.after, newest)?;
        if filter.order == Direction::NewestFirst {
            events.make_contiguous().reverse();
        }
        return Ok(Some(Search::These { events, newest }));
    }
    // Attempts can be open only since the last start of the station: each opening of the log closes earlier ones.
    let session = log.prepare_cached(SESSION)?.query_row([], |row| row.get(0)).optional()?.unwrap_or(0);
    let span = span(log, filter, newest)?;
    Ok(span.map(|(low, high)| Search::Span { low, high, newest, session, window: FIRST_WINDOW }))
}

/// The events, both included, between which the requested times lie.
fn span(log: &Connection, filter: &Filter, newest: i64) -> rusqlite::Result<Option<(i64, i64)>> {
    let first = filter.after.map_or(1, |after| i64::try_from(after).unwrap_or(i64::MAX).saturating_add(1));
    if filter.since.is_none() && filter.until.is_none() {
        return Ok((first <= newest).then_some((first, newest)));
    }
    let mut query = log.prepare_cached(SPAN)?;
    let bounds = (filter.since.unwrap_or(i64::MIN), filter.until.unwrap_or(i64::MAX));
    let (low, high): (Option<i64>, Option<i64>) = query.query_row(bounds, |row| Ok((row.get(0)?, row.get(1)?)))?;
    let span = low.zip(high).map(|(low, high)| (low.max(first), high.min(newest)));
    Ok(span.filter(|(low, high)| low <= high))
}

/// The ends in whose place another event stands, up to an event: see [`superseded`].
pub(super) const CHANGED: &str = "SELECT json_extract(body, '$.closed.seq') FROM event INDEXED BY event_changed
    WHERE kind = 'attempt-changed' AND json_extract(body, '$.closed.seq') >= 0 AND seq <= ?1";

const FOREIGN: &str = "SELECT seq FROM event INDEXED BY event_foreign WHERE json_extract(body, '$.outcome.word') IS NOT NULL
    AND kind NOT IN ('attempt-closed', 'attempt-changed') AND seq <= ?1";

/// Events with an outcome that do not stand for an attempt: the ends of attempts whose card was written to later, for which another event
/// stands; and events of kinds that this program does not know.
fn superseded(log: &Connection, newest: i64) -> rusqlite::Result<HashSet<u64>> {
    let mut events = HashSet::new();
    for question in [CHANGED, FOREIGN] {
        let mut query = log.prepare_cached(question)?;
        for event in query.query_map([newest], |row| to_count(row.get(0)?))? {
            events.insert(event?);
        }
    }
    Ok(events)
}

const SESSION: &str = "SELECT seq FROM event WHERE kind = 'station-started' AND attempt IS NULL ORDER BY seq DESC LIMIT 1";

const SPAN: &str = "SELECT min(seq), max(seq) FROM event INDEXED BY event_at WHERE at >= ?1 AND at < ?2";

/// The columns that identify a card.
const NAMES: [&str; 3] = ["serial", "cid.raw", "cid.serial"];

fn of_name(name: &str) -> String {
    let name = format!("json_extract(body, '$.card.{name}')");
    // No character follows the last possible one.
    format!(
        "SELECT seq FROM event WHERE {name} IS NOT NULL AND {name} COLLATE NOCASE >= ?1
         AND {name} COLLATE NOCASE < ?1 || char(0x10ffff) AND seq > ?2 AND seq <= ?3"
    )
}

/// The events of cards with this name, oldest first.
fn of_card(log: &Connection, serial: &str, after: Option<u64>, newest: i64) -> rusqlite::Result<VecDeque<i64>> {
    let after = after.map_or(0, |after| i64::try_from(after).unwrap_or(i64::MAX));
    let mut events = Vec::new();
    for name in NAMES {
        let mut query = log.prepare_cached(&of_name(name))?;
        for event in query.query_map((serial, after, newest), |row| row.get(0))? {
            events.push(event?);
        }
    }
    events.sort_unstable();
    events.dedup();
    Ok(events.into())
}

/// The columns of a brief in its order; the index `event_brief` has all of them.
const BRIEF: &str = "seq, at, json_extract(body, '$.model'), json_extract(body, '$.slot'), json_extract(body, '$.outcome.word'),
    json_extract(body, '$.outcome.code'), json_extract(body, '$.effort.total_us'), json_extract(body, '$.image.blake3'),
    json_extract(body, '$.card.port'), json_extract(body, '$.card.bus'), json_extract(body, '$.card.vendor'),
    json_extract(body, '$.card.product'), json_extract(body, '$.card.cid.name'), json_extract(body, '$.card.capacity')";

fn of_briefs(columns: &str, filter: &Filter, backwards: bool) -> String {
    let mut sql = format!(
        "SELECT {columns} FROM event INDEXED BY event_brief
         WHERE json_extract(body, '$.outcome.word') IS NOT NULL AND seq >= :from AND seq <= :to"
    );
    // Only the requested conditions: one that is always true would be evaluated a million times.
    for (asked, condition) in [
        (filter.since.is_some(), "at >= :since"),
        (filter.until.is_some(), "at < :until"),
        (filter.model.is_some(), "json_extract(body, '$.model') = :model"),
        (filter.slot.is_some(), "json_extract(body, '$.slot') = :slot"),
        (filter.outcome.is_some(), "json_extract(body, '$.outcome.word') = :outcome"),
    ] {
        if asked {
            sql.push_str(" AND ");
            sql.push_str(condition);
        }
    }
    sql.push_str(if backwards { " ORDER BY seq DESC LIMIT :limit" } else { " ORDER BY seq LIMIT :limit" });
    sql
}

fn bind(query: &mut rusqlite::Statement<'_>, filter: &Filter, span: (i64, i64), limit: i64) -> rusqlite::Result<()> {
    for (name, value) in [
        (":from", Some(&span.0 as &dyn rusqlite::ToSql)),
        (":to", Some(&span.1)),
        (":limit", Some(&limit)),
        (":since", filter.since.as_ref().map(|value| value as _)),
        (":until", filter.until.as_ref().map(|value| value as _)),
        (":model", filter.model.as_ref().map(|value| value as _)),
        (":slot", filter.slot.as_ref().map(|value| value as _)),
        (":outcome", filter.outcome.as_ref().map(|value| value as _)),
    ] {
        if let Some(value) = value
            && let Some(index) = query.parameter_index(name)?
        {
            query.raw_bind_parameter(index, value)?;
        }
    }
    Ok(())
}

/// The closing events of one page.
fn closed(log: &Connection, filter: &Filter, span: (i64, i64), backwards: bool) -> rusqlite::Result<Vec<i64>> {
    let mut query = log.prepare_cached(&of_briefs("seq", filter, backwards))?;
    bind(&mut query, filter, span, i64::try_from(PAGE).unwrap_or(i64::MAX))?;
    let mut rows = query.raw_query();
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        events.push(row.get(0)?);
    }
    Ok(events)
}

const RUNNING: &str = "SELECT seq FROM event INDEXED BY event_start
    WHERE kind = 'attempt-started' AND seq >= :from AND seq <= :to AND NOT EXISTS (
        SELECT 1 FROM event AS closing INDEXED BY event_attempt
        WHERE closing.attempt = json_extract(event.body, '$.attempt') AND closing.kind = 'attempt-closed' AND closing.seq <= :newest)";

/// The starts between two events that had no end at the newest event.
fn running(log: &Connection, span: (i64, i64), newest: i64) -> rusqlite::Result<Vec<i64>> {
    let mut query = log.prepare_cached(RUNNING)?;
    let events = query.query_map(named_params! { ":from": span.0, ":to": span.1, ":newest": newest }, |row| row.get(0))?;
    events.collect()
}

fn page_of_briefs(
    log: &Transaction<'_>,
    filter: &Filter,
    span: (i64, i64),
    superseded: &HashSet<u64>,
    left: &mut u64,
    each: &mut Each<'_>,
) -> rusqlite::Result<ControlFlow<()>> {
    let mut query = log.prepare_cached(&of_briefs(BRIEF, filter, filter.order == Direction::NewestFirst))?;
    let limit = left.saturating_add(to_u64(superseded.len()));
    bind(&mut query, filter, span, i64::try_from(limit).unwrap_or(i64::MAX))?;
    let mut rows = query.raw_query();
    while let Some(row) = rows.next()? {
        let text = |column: usize| row.get_ref(column).and_then(|value| Ok(value.as_str_or_null()?));
        // SQLite has signed integers only; a negative count was not written by this program.
        let number = |column: usize| row.get::<_, Option<i64>>(column).map(|number| number.and_then(|number| u64::try_from(number).ok()));
        let seq = number(0)?.unwrap_or_default();
        if superseded.contains(&seq) {
            continue;
        }
        if *left == 0 {
            break;
        }
        *left -= 1;
        let outcome = OutcomeWord::from(text(4)?.unwrap_or_default());
        let flow = each(&Brief {
            seq,
            at: row.get(1)?,
            model: text(2)?,
            slot: text(3)?,
            outcome: &outcome,
            code: text(5)?.map(code_today),
            total_us: number(6)?,
            image_blake3: text(7)?,
            port: text(8)?,
            bus: text(9)?,
            vendor: text(10)?,
            product: text(11)?,
            cid_name: text(12)?,
            capacity: number(13)?,
        });
        if flow.is_break() {
            return Ok(flow);
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// The row for which an event stands, if it stands for one as of `newest`; an error if the event has another form.
pub(super) fn row_at(log: &Connection, event: i64, newest: i64) -> rusqlite::Result<Option<Result<Row, ()>>> {
    let mut query = log.prepare_cached(
        "SELECT station, kind, at, body FROM event
         WHERE seq = ?1 AND (kind = 'attempt-changed' OR kind = 'attempt-closed' AND NOT EXISTS (
             SELECT 1 FROM event AS later
             WHERE later.attempt = event.attempt AND later.kind = 'attempt-changed' AND later.seq <= ?2)
         OR kind = 'attempt-started' AND NOT EXISTS (
             SELECT 1 FROM event AS closing
             WHERE closing.attempt = event.attempt AND closing.kind = 'attempt-closed' AND closing.seq <= ?2))",
    )?;
    let mut rows = query.query((event, newest))?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let kind = row.get_ref(1)?.as_str()?;
    let body = row.get_ref(3)?.as_str()?;
    Ok(Some(Row::of(event, row.get(0)?, kind, row.get(2)?, body).ok_or(())))
}

/// Makes the statistics of a log with millions of events, to see how SQLite answers queries of it.
#[cfg(test)]
pub(super) fn questions() -> Vec<String> {
    let narrow = Filter {
        model: Some(String::new()),
        since: Some(0),
        until: Some(0),
        slot: Some(String::new()),
        outcome: Some(String::new()),
        ..Filter::default()
    };
    let mut questions: Vec<_> = NAMES.into_iter().map(of_name).collect();
    questions.extend([SESSION, SPAN, RUNNING, CHANGED, FOREIGN].map(str::to_owned));
    questions.extend(super::card_history::questions().map(str::to_owned));
    questions.extend([of_briefs("seq", &narrow, true), of_briefs("seq", &Filter::default(), false)]);
    questions.extend([of_briefs(BRIEF, &narrow, false), of_briefs(BRIEF, &Filter::default(), true)]);
    questions
}
