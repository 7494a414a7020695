//! The configuration for other people's eyes: every value that is known to be harmless, with its line, and a note in the place of any other.
//!
//! What is not listed here is left out: remarks, keys that no table has, values of another type, free words for the operator, the contents
//! of a file that is no TOML.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::grammar::{Holds, heading_of, holds, whole};
use super::source::line_at;
use super::{operator, time_of_day};
use crate::station::bins::{Bin, BinColour};
use crate::station::lamp;
use crate::station::port::{Chain, Port};

/// What stands in the place of a value that is not shown.
const LEFT_OUT: &str = "(left out)";
/// Names and paths are shorter; a longer text is something else.
const LONGEST: usize = 200;

/// A text that is shown under a condition.
#[derive(Clone, Copy)]
enum Shows {
    /// A name that people gave to a station, a slot or a model, or a maker to a disk.
    Name,
    /// A path on this PC.
    Path,
    /// Where cards are put in.
    Port,
    /// The devices that a port hangs on: each with its serial concealed.
    Chain,
    /// A serial or another number that only one device has.
    Identity,
    /// A time of day.
    Time,
}

/// The keys with texts that are shown. A key that is not here is left out.
const TEXTS: [(&str, &str, Shows); 22] = [
    ("station", "name", Shows::Name),
    ("station", "state", Shows::Path),
    ("station", "bell", Shows::Path),
    ("trust", "roots", Shows::Path),
    ("trust", "with", Shows::Path),
    ("shift", "starts", Shows::Time),
    ("control", "socket", Shows::Path),
    ("log", "directory", Shows::Path),
    ("backup", "folder", Shows::Path),
    ("model", "name", Shows::Name),
    ("model", "image", Shows::Path),
    ("model", "digest", Shows::Name),
    ("model", "assertion", Shows::Path),
    ("model", "allow", Shows::Path),
    ("slot", "name", Shows::Name),
    ("slot", "model", Shows::Name),
    ("slot", "ports", Shows::Port),
    ("slot", "hangs_on", Shows::Chain),
    ("own_disk", "vendor", Shows::Name),
    ("own_disk", "product", Shows::Name),
    ("own_disk", "wwn", Shows::Identity),
    ("own_disk", "serial", Shows::Identity),
];

/// A configuration as it may be shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shared {
    /// One line for each key, with the number of its line in the file.
    pub lines: Vec<String>,
    /// The names, paths and ports in it, as they stand there.
    pub words: Vec<String>,
}

/// Makes the configuration with this text fit to be shown. `conceal` gives the text that stands for a serial.
#[must_use]
pub(crate) fn share(text: &str, conceal: &dyn Fn(&str) -> String) -> Shared {
    let mut sharing = Sharing { text, conceal, words: Vec::new() };
    let Ok(root) = DeTable::parse(text) else {
        let lines = vec![format!("# {} lines, {} bytes: no TOML, {LEFT_OUT}", text.lines().count(), text.len())];
        return Shared { lines, words: Vec::new() };
    };
    let mut groups: Vec<(usize, Vec<String>)> = Vec::new();
    for (name, value) in root.get_ref() {
        let table = name.get_ref().as_ref();
        match (heading_of(table), value.get_ref()) {
            (Some(heading), DeValue::Table(keys)) => groups.push(sharing.group(table, &heading, name, keys)),
            (Some(heading), DeValue::Array(items)) => {
                for item in items.iter() {
                    match item.get_ref() {
                        DeValue::Table(keys) => groups.push(sharing.group(table, &heading, item, keys)),
                        _ => groups.push(sharing.left_out(item)),
                    }
                }
            }
            (None, value @ DeValue::Integer(_)) if table == "version" => {
                let shown = whole(value).map_or_else(|| LEFT_OUT.to_owned(), |version| version.to_string());
                groups.push((sharing.line(name), vec![format!("version = {shown}  # line {}", sharing.line(name))]));
            }
            _ => groups.push(sharing.left_out(name)),
        }
    }
    groups.sort_by_key(|(line, _)| *line);
    Shared { lines: groups.into_iter().flat_map(|(_, lines)| lines).collect(), words: sharing.words }
}

struct Sharing<'a> {
    text: &'a str,
    conceal: &'a dyn Fn(&str) -> String,
    words: Vec<String>,
}

impl Sharing<'_> {
    fn line<T>(&self, at: &Spanned<T>) -> usize {
        line_at(self.text, at.span().start)
    }

    fn left_out<T>(&self, at: &Spanned<T>) -> (usize, Vec<String>) {
        let line = self.line(at);
        (line, vec![format!("# line {line}: not known to this program, {LEFT_OUT}")])
    }

    /// A table with its keys, in the order of the file.
    fn group<T>(&mut self, table: &str, heading: &str, at: &Spanned<T>, keys: &DeTable<'_>) -> (usize, Vec<String>) {
        let mut lines = Vec::new();
        for (name, value) in keys {
            let line = self.line(name);
            let key = name.get_ref().as_ref();
            let shown = match holds(table, key) {
                Some(holds) => format!("{key} = {}  # line {line}", self.value(table, key, holds, value.get_ref())),
                None => format!("# line {line}: a key that this program does not know, {LEFT_OUT}"),
            };
            lines.push((line, shown));
        }
        lines.sort();
        let begin = lines.first().map_or_else(|| self.line(at), |(line, _)| *line);
        (begin, std::iter::once(heading.to_owned()).chain(lines.into_iter().map(|(_, shown)| shown)).collect())
    }

    fn value(&mut self, table: &str, key: &str, holds: Holds, value: &DeValue<'_>) -> String {
        let shows = TEXTS.iter().find(|(of, name, _)| (*of, *name) == (table, key)).map(|(.., shows)| *shows);
        match (holds, value, shows) {
            (Holds::Flag, DeValue::Boolean(flag), _) => flag.to_string(),
            (Holds::Whole, number, _) => whole(number).map_or_else(|| LEFT_OUT.to_owned(), |number| number.to_string()),
            (Holds::Window, DeValue::Array(items), _) => {
                let sizes: Option<Vec<String>> = items.iter().map(|item| whole(item.get_ref()).map(|size| size.to_string())).collect();
                sizes.map_or_else(|| LEFT_OUT.to_owned(), |sizes| format!("[{}]", sizes.join(", ")))
            }
            (Holds::Word(words), DeValue::String(word), _) if words.contains(&word.as_ref()) => format!("{word:?}"),
            (Holds::Lamp, DeValue::Table(leds), _) => table_of(
                leds,
                |led| lamp::KEYS.contains(&led),
                |_, led| {
                    let name = led.as_str().filter(|name| is_led(name));
                    name.map_or_else(|| LEFT_OUT.to_owned(), |name| self.shown(name))
                },
            ),
            (Holds::Bins, DeValue::Table(bins), _) => table_of(
                bins,
                |bin| Bin::ALL.iter().any(|known| operator::key(*known) == bin),
                |_, bin| match bin {
                    DeValue::Table(keys) => table_of(
                        keys,
                        |key| ["word", "colour"].contains(&key),
                        |key, value| {
                            let colour =
                                value.as_str().filter(|word| key == "colour" && BinColour::ALL.iter().any(|known| known.word() == *word));
                            colour.map_or_else(|| LEFT_OUT.to_owned(), |colour| format!("{colour:?}"))
                        },
                    ),
                    _ => LEFT_OUT.to_owned(),
                },
            ),
            (Holds::Text, DeValue::String(text), Some(shows)) => self.text(shows, text),
            (Holds::Texts, DeValue::Array(items), Some(shows)) => {
                let items: Vec<String> = items
                    .iter()
                    .map(|item| item.get_ref().as_str().map_or_else(|| LEFT_OUT.to_owned(), |text| self.text(shows, text)))
                    .collect();
                format!("[{}]", items.join(", "))
            }
            _ => LEFT_OUT.to_owned(),
        }
    }

    fn text(&mut self, shows: Shows, text: &str) -> String {
        if text.len() > LONGEST || text.chars().any(char::is_control) {
            return LEFT_OUT.to_owned();
        }
        match shows {
            Shows::Name if !text.contains("://") => self.shown(text),
            Shows::Path if text.is_empty() => "\"\"".to_owned(),
            Shows::Path => self.path(text),
            Shows::Port if Port(text.to_owned()).parts().is_some() => self.shown(text),
            Shows::Chain => format!("{:?}", chain(text, self.conceal)),
            Shows::Identity => (self.conceal)(text),
            Shows::Time if time_of_day(text).is_some() => format!("{text:?}"),
            Shows::Name | Shows::Port | Shows::Time => LEFT_OUT.to_owned(),
        }
    }

    /// A path is shown unless it names a person, another PC or a right to enter one: a URL may carry a password, and each part of it may be
    /// one.
    fn path(&mut self, text: &str) -> String {
        if let Some((scheme, _)) = text.split_once("://") {
            let is_scheme = (1..=8).contains(&scheme.len()) && scheme.chars().all(|letter| letter.is_ascii_lowercase());
            return if is_scheme { format!("\"{scheme}://…\" {LEFT_OUT}") } else { LEFT_OUT.to_owned() };
        }
        if text.contains(['@', '?']) || text.starts_with("//") || text.starts_with('\\') {
            return LEFT_OUT.to_owned();
        }
        for private in ["/home/", "/root/", "/media/", "/run/media/", "/run/user/"] {
            if text.starts_with(private) {
                return format!("\"{private}…\" {LEFT_OUT}");
            }
        }
        self.shown(text)
    }

    fn shown(&mut self, text: &str) -> String {
        self.words.push(text.to_owned());
        format!("{text:?}")
    }
}

/// A table within a line, with its known keys.
fn table_of(table: &DeTable<'_>, is_known: impl Fn(&str) -> bool, mut show: impl FnMut(&str, &DeValue<'_>) -> String) -> String {
    let entry = |(name, value): (&Spanned<std::borrow::Cow<'_, str>>, &Spanned<DeValue<'_>>)| {
        let key = name.get_ref().as_ref();
        if is_known(key) { format!("{key} = {}", show(key, value.get_ref())) } else { LEFT_OUT.to_owned() }
    };
    format!("{{ {} }}", table.iter().map(entry).collect::<Vec<_>>().join(", "))
}

fn is_led(name: &str) -> bool {
    name.chars().all(|letter| letter.is_ascii_alphanumeric() || "*:._-".contains(letter))
}

/// Hubs and readers as `vendor:product`, with what stands for their serials; or the driver of an SD host.
pub(crate) fn chain(text: &str, conceal: &dyn Fn(&str) -> String) -> String {
    Chain(Chain::parse(text).0.iter().map(|device| device_id(device, conceal)).collect()).to_string()
}

/// A device as `vendor:product`, with what stands for its serial; or the driver of an SD host.
fn device_id(device: &str, conceal: &dyn Fn(&str) -> String) -> String {
    let is_number = |text: &str| text.len() == 4 && text.chars().all(|digit| digit.is_ascii_hexdigit());
    let is_driver = |text: &str| text.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_ ()".contains(letter));
    let mut parts = device.splitn(3, ':');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(vendor), Some(product), None) if is_number(vendor) && is_number(product) => device.to_owned(),
        (Some(vendor), Some(product), Some(serial)) if is_number(vendor) && is_number(product) => {
            format!("{vendor}:{product}:{}", conceal(serial))
        }
        (Some(driver), None, None) if driver.starts_with(|letter: char| letter.is_ascii_lowercase()) && is_driver(driver) => {
            device.to_owned()
        }
        _ => conceal(device),
    }
}

#[cfg(test)]
mod cases {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        share(text, &|serial| format!("serial({})", serial.len())).lines
    }

    #[test]
    fn every_value_of_the_example_is_shown_with_its_line_but_words_for_the_operator_and_serials() {
        let text = include_str!("../../config.example.toml");
        let shared = share(text, &|_| "serial-1".to_owned());
        let line = |of: &str| text.lines().position(|line| line.starts_with(of)).map(|line| line + 1).expect("it is in the example");
        for expected in [
            format!("image = \"/srv/images/my-pi3.img.xz\"  # line {}", line("image = ")),
            format!("capacity_gb = [8, 16]  # line {}", line("capacity_gb = ")),
            format!("done = \"recheck\"  # line {}", line("done = ")),
            format!("wwn = serial-1  # line {}", line("wwn = ")),
            format!("hangs_on = [\"05e3:0620\", \"05e3:0610\"]  # line {}", line("hangs_on = ")),
            "[[own_disk]]".to_owned(),
            "version = 1  # line 6".to_owned(),
        ] {
            assert!(shared.lines.contains(&expected), "{expected}\n{}", shared.lines.join("\n"));
        }
        assert!(!shared.lines.iter().any(|line| line.contains(LEFT_OUT)), "{}", shared.lines.join("\n"));
        assert!(shared.words.contains(&"acme/my-pi3".to_owned()) && shared.words.contains(&"thingm*:red:led0".to_owned()));
    }

    #[test]
    fn what_is_not_known_to_be_harmless_is_left_out_and_its_line_is_told() {
        let lines = shown(
            "# a remark with WORD-1\n\"WORD-2\" = 3\n[station]\nname = \"line 3\" # WORD-3\nwifi = \"WORD-4\"\nsettle_ms = \"WORD-5\"\n\
             state = \"https://user:WORD-6@host/WORD-7?key=WORD-8\"\n[WORD9]\nkey = 1\n[panel]\nbins = { good = { word = \"WORD-10\", colour = \"green\" } }\n\
             [[model]]\nname = \"acme/box\"\nimage = \"/home/WORD-11/box.img\"\nassertion = \"user@WORD-12:/x\"\n\
             [[slot]]\nname = \"A1\"\nports = [\"WORD-13\"]\nhangs_on = [\"05e3:0610 > 0781:5581:WORD-14\"]\nlamp = { green = \"WORD 15\" }\n\
             [[own_disk]]\nserial = \"WORD-16\"\n",
        );
        let text = lines.join("\n");
        assert!(!text.contains("WORD"), "{text}");
        for expected in [
            "# line 2: not known to this program, (left out)",
            "name = \"line 3\"  # line 4",
            "# line 5: a key that this program does not know, (left out)",
            "settle_ms = (left out)  # line 6",
            "state = \"https://…\" (left out)  # line 7",
            "image = \"/home/…\" (left out)  # line 14",
            "hangs_on = [\"05e3:0610 > 0781:5581:serial(7)\"]  # line 19",
            "word = (left out)",
            "colour = \"green\"",
        ] {
            assert!(text.contains(expected), "{expected}\n{text}");
        }
    }

    #[test]
    fn of_a_file_that_is_no_toml_nothing_is_shown_but_its_length() {
        assert_eq!(shown("[station]\npassword = WORD\n"), ["# 2 lines, 26 bytes: no TOML, (left out)"]);
    }
}
