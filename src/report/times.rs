//! The words for times and the shifts of a factory. Owns the meaning of `yesterday` on a day of 23 hours. Uses no clock: the current time
//! is passed in with its time zone.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Disambiguation;
use jiff::{Timestamp, ToSpan, Zoned};

/// A requested time has a beginning and an end, each of which may be open. The beginning belongs to it, the end does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// The first moment that belongs to it; `None` for an open beginning.
    pub since: Option<Timestamp>,
    /// The first moment that no longer belongs to it; `None` for an open end.
    pub until: Option<Timestamp>,
}

/// A word is not a time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// The text is not a known word or time.
    #[error(
        "{word:?} is no time: write today, yesterday, shift, last-shift, now, 90min, 2h or 7d (ago), a date as 2026-11-24, a local time as \
         \"2026-11-24 14:00\", or 14:00 for today's, or RFC 3339"
    )]
    Unknown {
        /// The text as typed.
        word: String,
    },
    /// It lies outside the calendar.
    #[error("{word:?} is a time further away than a calendar goes")]
    OutOfRange {
        /// The text as typed.
        word: String,
    },
    /// The end lies before the beginning.
    #[error("--since {since:?} does not begin before --until {until:?} ends: nothing lies between them")]
    Backwards {
        /// The beginning as typed.
        since: String,
        /// The end as typed.
        until: String,
    },
}

/// The beginnings of the shifts: at least one, in the order of the day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shifts(Vec<Time>);

impl Default for Shifts {
    fn default() -> Self {
        Self([6, 14, 22].map(|hour| Time::constant(hour, 0, 0, 0)).to_vec())
    }
}

impl Shifts {
    /// With these beginnings; the usual three if there are none.
    #[must_use]
    pub(crate) fn new(mut starts: Vec<Time>) -> Self {
        starts.sort_unstable();
        if starts.is_empty() { Self::default() } else { Self(starts) }
    }

    /// The beginning of the shift that contains `at`, and that of the next; `None` at the ends of the calendar.
    ///
    /// A shift lasts from one beginning to the next: on the days when clocks are changed, one is an hour longer or shorter.
    #[must_use]
    pub(crate) fn around(&self, at: &Zoned) -> Option<(Zoned, Zoned)> {
        let mut before = None;
        // The day before is included for the night shift; two days each way, because a zone may leave out a whole day.
        for days in -2..=2_i64 {
            let Ok(date) = at.date().checked_add(days.days()) else { continue };
            for time in &self.0 {
                let Ok(start) = date.to_datetime(*time).to_zoned(at.time_zone().clone()) else { continue };
                if start.timestamp() > at.timestamp() {
                    return Some((before?, start));
                }
                before = Some(start);
            }
        }
        None
    }
}

/// The window between two words: from the beginning of the first to the end of the second. `--until yesterday` includes yesterday.
///
/// # Errors
/// If a word is not a time, or the end lies before the beginning.
pub(crate) fn window(since: Option<&str>, until: Option<&str>, now: &Zoned, shifts: &Shifts) -> Result<Window, TimeError> {
    let window = Window {
        since: since.map(|word| period(word, now, shifts)).transpose()?.map(|(start, _)| start),
        until: until.map(|word| period(word, now, shifts)).transpose()?.map(|(_, end)| end),
    };
    match (window.since.zip(window.until), since.zip(until)) {
        (Some((from, to)), Some((since, until))) if from >= to => {
            Err(TimeError::Backwards { since: since.to_owned(), until: until.to_owned() })
        }
        _ => Ok(window),
    }
}

/// The beginning and the end of the time that a word names. For a single moment both are the same, except for one that occurs twice when
/// clocks are set back: it begins at the first and ends at the second.
fn period(word: &str, now: &Zoned, shifts: &Shifts) -> Result<(Timestamp, Timestamp), TimeError> {
    let too_far = || TimeError::OutOfRange { word: word.to_owned() };
    let unknown = || TimeError::Unknown { word: word.to_owned() };
    let shift = |at: &Zoned| shifts.around(at).ok_or_else(too_far);
    match word {
        "now" => Ok((now.timestamp(), now.timestamp())),
        "today" => day(now.date(), now).ok_or_else(too_far),
        "yesterday" => now.date().yesterday().ok().and_then(|date| day(date, now)).ok_or_else(too_far),
        "shift" => shift(now).map(|(start, end)| (start.timestamp(), end.timestamp())),
        "last-shift" => {
            let (end, _) = shift(now)?;
            let (start, _) = shift(&end.checked_sub(1.nanosecond()).map_err(|_ends| too_far())?)?;
            Ok((start.timestamp(), end.timestamp()))
        }
        _ => {
            if let Some(ago) = ago(word, now) {
                return ago.map(|at| (at, at)).ok_or_else(too_far);
            }
            // A date alone; from a longer text the parser would take the date and ignore the rest.
            if word.len() == "2026-11-24".len()
                && let Ok(date) = word.parse::<Date>()
            {
                return day(date, now).ok_or_else(too_far);
            }
            if let Ok(at) = word.parse::<Timestamp>() {
                return Ok((at, at));
            }
            // A parser of local times would ignore an offset.
            let local = word.len() <= "2026-11-24T14:00:00".len();
            let whole = in_full(word, now.date()).unwrap_or_else(|| word.to_owned());
            let local: DateTime = whole.parse().ok().filter(|_| local && whole.contains(':')).ok_or_else(unknown)?;
            let at = |disambiguation| {
                let at = now.time_zone().to_ambiguous_zoned(local).disambiguate(disambiguation);
                at.map(|at| at.timestamp()).map_err(|_ends| too_far())
            };
            Ok((at(Disambiguation::Earlier)?, at(Disambiguation::Later)?))
        }
    }
}

/// Completes `8:00` with its date (today's if none is named) and two digits; `None` for a text without such an hour.
fn in_full(word: &str, today: Date) -> Option<String> {
    let (date, time) = word.split_once([' ', 'T']).map_or_else(|| (today.to_string(), word), |(date, time)| (date.to_owned(), time));
    let (hour, rest) = time.split_once(':')?;
    let digits = |text: &str| text.bytes().all(|sign| sign.is_ascii_digit());
    let is_hour = matches!(hour.len(), 1 | 2) && digits(hour);
    (is_hour && rest.split(':').all(|part| part.len() == 2 && digits(part))).then(|| format!("{date}T{hour:0>2}:{rest}"))
}

/// A day begins with its first moment, which need not be midnight, and ends with the first moment of the next.
fn day(date: Date, now: &Zoned) -> Option<(Timestamp, Timestamp)> {
    let start = |date: Date| date.to_zoned(now.time_zone().clone()).ok().map(|start| start.timestamp());
    Some((start(date)?, start(date.tomorrow().ok()?)?))
}

/// `90min` and `2h` count hours of real time; `7d` counts days of the calendar.
fn ago(word: &str, now: &Zoned) -> Option<Option<Timestamp>> {
    let digits = word.bytes().take_while(u8::is_ascii_digit).count();
    let (count, unit) = word.split_at_checked(digits)?;
    let count: i64 = if unit.is_empty() || count.is_empty() { return None } else { count.parse().unwrap_or(i64::MAX) };
    let span = match unit {
        "min" => jiff::Span::new().try_minutes(count),
        "h" => jiff::Span::new().try_hours(count),
        "d" => jiff::Span::new().try_days(count),
        _ => return None,
    };
    Some(span.and_then(|span| now.checked_sub(span)).ok().map(|at| at.timestamp()))
}

#[cfg(test)]
mod cases {
    use super::*;

    #[test]
    fn an_hour_of_today_and_one_of_a_single_digit_are_times() {
        let now: Zoned = "2026-11-24T09:30[Europe/Berlin]".parse().expect("a time");
        let since = |word: &str| {
            let window = window(Some(word), None, &now, &Shifts::default());
            window.map(|window| window.since.map(|at| at.to_string()).unwrap_or_default())
        };
        for (word, at) in [
            ("14:00", "2026-11-24T13:00:00Z"),
            ("8:00", "2026-11-24T07:00:00Z"),
            ("8:05:09", "2026-11-24T07:05:09Z"),
            ("2026-11-20 8:00", "2026-11-20T07:00:00Z"),
            ("2026-11-20T8:00", "2026-11-20T07:00:00Z"),
            ("now", "2026-11-24T08:30:00Z"),
        ] {
            assert_eq!(since(word).as_deref(), Ok(at), "{word}");
        }
        for wrong in ["25:00", "8:0", ":30", "8:", "008:00", "2026-11-20  8:00", "8:00 2026-11-20", "2026-11-20 8", "8:00Z", "+8:00"] {
            assert_eq!(since(wrong), Err(TimeError::Unknown { word: wrong.to_owned() }), "{wrong}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In the spring of 2026 clocks went from 02:00 to 03:00 on March 29th, and in autumn from 03:00 back to 02:00 on October 25th.
    fn berlin(local: &str) -> Zoned {
        format!("{local}[Europe/Berlin]").parse().expect("a time in Berlin")
    }

    fn of(since: &str, until: &str, now: &str) -> (String, String) {
        let window = window(Some(since), Some(until), &berlin(now), &Shifts::default()).expect("two times");
        (window.since.expect("a beginning").to_string(), window.until.expect("an end").to_string())
    }

    fn hours(since: &str, until: &str, now: &str) -> i64 {
        let window = window(Some(since), Some(until), &berlin(now), &Shifts::default()).expect("two times");
        let (since, until) = window.since.zip(window.until).expect("both ends");
        (until.as_second() - since.as_second()) / 3600
    }

    #[test]
    fn a_day_has_23_24_or_25_hours() {
        assert_eq!(of("today", "today", "2026-11-24T09:30"), ("2026-11-23T23:00:00Z".to_owned(), "2026-11-24T23:00:00Z".to_owned()));
        assert_eq!(of("today", "today", "2026-03-29T12:00"), ("2026-03-28T23:00:00Z".to_owned(), "2026-03-29T22:00:00Z".to_owned()));
        assert_eq!(hours("today", "today", "2026-03-29T01:30"), 23);
        assert_eq!(hours("yesterday", "yesterday", "2026-03-30T00:00"), 23);
        assert_eq!(hours("today", "today", "2026-10-25T23:59"), 25);
        assert_eq!(hours("2026-10-25", "2026-10-25", "2026-11-24T09:30"), 25);
        assert_eq!(hours("2026-10-24", "2026-10-26", "2026-11-24T09:30"), 73, "until a date means with that day");
    }

    #[test]
    fn a_shift_lasts_from_one_beginning_to_the_next() {
        assert_eq!(of("shift", "shift", "2026-11-24T14:00"), ("2026-11-24T13:00:00Z".to_owned(), "2026-11-24T21:00:00Z".to_owned()));
        assert_eq!(of("shift", "shift", "2026-11-24T13:59"), ("2026-11-24T05:00:00Z".to_owned(), "2026-11-24T13:00:00Z".to_owned()));
        // The night shift began the evening before.
        assert_eq!(of("shift", "shift", "2026-11-24T05:59"), ("2026-11-23T21:00:00Z".to_owned(), "2026-11-24T05:00:00Z".to_owned()));
        assert_eq!(
            of("last-shift", "last-shift", "2026-11-24T06:00"),
            ("2026-11-23T21:00:00Z".to_owned(), "2026-11-24T05:00:00Z".to_owned())
        );
        assert_eq!(hours("shift", "shift", "2026-03-29T04:00"), 7, "the night in which an hour is missing");
        assert_eq!(hours("shift", "shift", "2026-10-25T02:30"), 9, "the night that has one more");
        // A beginning that does not exist on that day is moved to the next moment that exists.
        let shifts = Shifts::new(vec![Time::constant(2, 30, 0, 0)]);
        let (start, _) = shifts.around(&berlin("2026-03-29T12:00")).expect("a shift");
        assert_eq!(start.timestamp().to_string(), "2026-03-29T01:30:00Z");
        assert_eq!(Shifts::new(Vec::new()), Shifts::default());
    }

    #[test]
    fn hours_ago_are_hours_and_days_ago_are_days() {
        assert_eq!(of("2h", "90min", "2026-10-25T04:00").0, "2026-10-25T01:00:00Z", "02:00 came twice that night");
        assert_eq!(of("2h", "90min", "2026-11-24T10:00"), ("2026-11-24T07:00:00Z".to_owned(), "2026-11-24T07:30:00Z".to_owned()));
        assert_eq!(of("1d", "0h", "2026-03-29T12:00").0, "2026-03-28T11:00:00Z", "noon of the day before");
    }

    #[test]
    fn dates_and_times_are_local_unless_they_say_otherwise() {
        assert_eq!(of("2026-11-24 14:00", "2026-11-24T14:30:10", "2026-11-30T00:00").0, "2026-11-24T13:00:00Z");
        assert_eq!(of("2026-11-24T14:00Z", "2026-11-24T16:00:00+01:00", "2026-11-30T00:00").1, "2026-11-24T15:00:00Z");
        // An hour that occurs twice is requested with both.
        assert_eq!(
            of("2026-10-25 02:30", "2026-10-25 02:30", "2026-11-30T00:00"),
            ("2026-10-25T00:30:00Z".to_owned(), "2026-10-25T01:30:00Z".to_owned())
        );
    }

    #[test]
    fn what_is_no_time_is_said_with_what_would_be() {
        let now = berlin("2026-11-24T09:30");
        for word in ["", "soon", "2", "h", "2w", "-2h", "2026-13-01", "2026-11-24 25:00", "2026-11-24 14", "Today", "2026-02-30", "2h ago"]
        {
            let error = window(Some(word), None, &now, &Shifts::default()).expect_err(word);
            assert_eq!(error, TimeError::Unknown { word: word.to_owned() });
            assert!(error.to_string().contains("write today, yesterday"), "{error}");
        }
        for word in ["99999999999999999999h", "99999999d"] {
            let error = window(Some(word), None, &now, &Shifts::default());
            assert!(matches!(error, Err(TimeError::OutOfRange { .. })), "{word}: {error:?}");
        }
        let error = window(Some("today"), Some("yesterday"), &now, &Shifts::default()).expect_err("the wrong way round");
        assert!(error.to_string().contains("--since \"today\" does not begin before"), "{error}");
        assert_eq!(window(None, None, &now, &Shifts::default()), Ok(Window::default()));
    }
}
