//! Checks the type of every key before the file is read into tables. The parser's own errors name types of this program; these name the key
//! and the cure.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::source::{ConfigError, Mistakes, Source};

/// The type of a key's value.
#[derive(Clone, Copy)]
pub(super) enum Holds {
    Text,
    Texts,
    /// A window of sizes: `[least, most]`.
    Window,
    Flag,
    Whole,
    Word(&'static [&'static str]),
    Lamp,
    Bins,
}

/// A key, by its table.
struct Key {
    table: &'static str,
    name: &'static str,
    holds: Holds,
    /// An example line of the file.
    example: &'static str,
}

const fn key(table: &'static str, name: &'static str, holds: Holds, example: &'static str) -> Key {
    Key { table, name, holds, example }
}

/// The newest version of the configuration that this program reads. It changes when an older program would misread what a newer one
/// wrote; a new key needs no new version, because an unknown key is an error.
pub(crate) const VERSION: u64 = 1;

/// Tables that can occur once.
const SINGLE: [&str; 9] = ["station", "order", "trust", "shift", "control", "panel", "log", "backup", "policy"];
/// Tables that can occur several times.
const SEVERAL: [&str; 3] = ["model", "slot", "own_disk"];

/// A lamp with one LED, and one with several.
const LAMP: &str = "lamp = { led = \"mmc0::\" }, or lamp = { green = \"NAME\", red = \"NAME\" }";
/// One of the bins; the others are written beside it.
const BINS: &str = "bins = { good = { word = \"TRAY\", colour = \"green\" } }; the bins are good, not_bad and bad";

const KEYS: &[Key] = &[
    key("station", "name", Holds::Text, "name = \"line 3\""),
    key("station", "state", Holds::Text, "state = \"/var/lib/flashline\""),
    key("station", "settle_ms", Holds::Whole, "settle_ms = 700, in milliseconds"),
    key("station", "flash_present", Holds::Flag, "flash_present = false"),
    key("station", "stall_timeout_s", Holds::Whole, "stall_timeout_s = 90, in seconds"),
    key("station", "store_limit_gb", Holds::Whole, "store_limit_gb = 64, in GB"),
    key("station", "lamp", Holds::Lamp, LAMP),
    key("station", "bell", Holds::Text, "bell = \"/dev/input/by-path/platform-pcspkr-event-spkr\""),
    key("order", "box", Holds::Whole, "box = 50, in good cards; 0 for no boxes"),
    key("trust", "roots", Holds::Texts, "roots = [\"/srv/keys/own.root\"]"),
    key("trust", "with", Holds::Texts, "with = [\"/srv/keys/own.account\"]"),
    key("shift", "starts", Holds::Texts, "starts = [\"06:00\", \"14:00\", \"22:00\"]"),
    key("control", "socket", Holds::Text, "socket = \"/run/flashline/control.sock\""),
    key("panel", "language", Holds::Word(&["en", "de", "es", "pl", "zh"]), "language = \"en\""),
    key("panel", "bell", Holds::Flag, "bell = true"),
    key("panel", "bins", Holds::Bins, BINS),
    key("log", "directory", Holds::Text, "directory = \"/srv/share/flashline\""),
    key("log", "volatile", Holds::Flag, "volatile = false"),
    key("backup", "folder", Holds::Text, "folder = \"/mnt/backup\""),
    key("backup", "keep", Holds::Whole, "keep = 14, in backups of this station"),
    key("policy", "done", Holds::Word(&["recheck", "reflash"]), "done = \"recheck\""),
    key("policy", "first_off", Holds::Flag, "first_off = false"),
    key("policy", "flush", Holds::Word(&["ask", "required"]), "flush = \"ask\""),
    key("policy", "marks", Holds::Word(&["refuse", "erase"]), "marks = \"refuse\""),
    key("policy", "retries", Holds::Whole, "retries = 0, repetitions of one read or write"),
    key("policy", "rules", Holds::Word(&["warn", "required"]), "rules = \"warn\""),
    key("model", "name", Holds::Text, "name = \"acme/box\""),
    key("model", "image", Holds::Text, "image = \"/srv/images/box.img.xz\""),
    key("model", "digest", Holds::Text, "digest = \"0f3a…\", 64 digits, as `flashline status` prints it"),
    key("model", "assertion", Holds::Text, "assertion = \"/srv/images/box.model\""),
    key("model", "require", Holds::Word(&["proven", "matching", "none"]), "require = \"proven\""),
    key("model", "allow", Holds::Texts, "allow = [\"system-boot/overlays\"]"),
    key("model", "contents", Holds::Word(&["disk", "any"]), "contents = \"disk\""),
    key("model", "zeroes", Holds::Word(&["prove", "write", "skip"]), "zeroes = \"prove\""),
    key("slot", "name", Holds::Text, "name = \"A1\""),
    key("slot", "ports", Holds::Texts, "ports = [\"pci-0000:00:14.0/usb3-1.2/lun-0\"]; `flashline slots` lists them"),
    key("slot", "hangs_on", Holds::Texts, "hangs_on = [\"05e3:0620\"]; `flashline slots teach` writes it"),
    key("slot", "model", Holds::Text, "model = \"acme/box\""),
    key("slot", "cards", Holds::Word(&["reuse", "blank"]), "cards = \"reuse\""),
    key("slot", "capacity_gb", Holds::Window, "capacity_gb = [8, 16]: the least and the most, in whole GB as printed on cards"),
    key("slot", "lamp", Holds::Lamp, LAMP),
    key("own_disk", "wwn", Holds::Text, "wwn = \"naa.5002538e40a1b2c3\""),
    key("own_disk", "vendor", Holds::Text, "vendor = \"ATA\""),
    key("own_disk", "product", Holds::Text, "product = \"SSD 870\""),
    key("own_disk", "serial", Holds::Text, "serial = \"S5Y1\", in quotes although it may be digits"),
    key("own_disk", "bytes", Holds::Whole, "bytes = 500107862016"),
];

/// The type of the value of this key; `None` for a key that no table has.
pub(super) fn holds(table: &str, name: &str) -> Option<Holds> {
    KEYS.iter().find(|key| key.table == table && key.name == name).map(|key| key.holds)
}

/// The name of a table as it is written in the file; `None` for a table that does not exist.
pub(super) fn heading_of(table: &str) -> Option<String> {
    (SINGLE.contains(&table) || SEVERAL.contains(&table)).then(|| heading(table))
}

/// The name of a table as it is written in the file.
fn heading(table: &str) -> String {
    if SEVERAL.contains(&table) { format!("[[{table}]]") } else { format!("[{table}]") }
}

/// Checks that all keys of the file are known and have the right type.
///
/// # Errors
/// If the text is not TOML. All other mistakes are noted.
pub(super) fn prove(source: &Source<'_>, mistakes: &mut Mistakes) -> Result<(), ConfigError> {
    let root = DeTable::parse(source.text)
        .map_err(|error| source.wrong(error.span().unwrap_or(0..0), syntax(source.text, error.message(), error.span())))?;
    prove_version(source, root.get_ref())?;
    for (name, value) in root.get_ref().iter().filter(|(name, _)| name.get_ref() != "version") {
        let table = name.get_ref().as_ref();
        let wrong = |problem: String| source.wrong(name.span(), problem);
        let found = match (SINGLE.contains(&table), SEVERAL.contains(&table), value.get_ref()) {
            (true, _, DeValue::Table(keys)) => {
                prove_keys(source, table, keys, mistakes);
                continue;
            }
            (_, true, DeValue::Array(items)) => {
                items.iter().for_each(|item| prove_item(source, table, item, mistakes));
                continue;
            }
            (true, _, DeValue::Array(_)) => {
                wrong(format!("there is one `{table}`: write [{table}] with single brackets, and all its keys below"))
            }
            (_, true, DeValue::Table(_)) => wrong(format!("write [[{table}]] with two brackets: there may be several, and each begins so")),
            (true, ..) | (_, true, _) => {
                wrong(format!("`{table}` is a table: write {} on a line of its own, and its keys below", heading(table)))
            }
            (false, false, _) => stranger(source, name, value),
        };
        mistakes.note::<()>(Err(found));
    }
    Ok(())
}

/// Of a newer configuration nothing else is judged: this program does not know what it means.
fn prove_version(source: &Source<'_>, root: &DeTable<'_>) -> Result<(), ConfigError> {
    let Some((_, value)) = root.iter().find(|(name, _)| name.get_ref() == "version") else { return Ok(()) };
    match whole(value.get_ref()).filter(|version| *version > 0) {
        Some(version) if version > VERSION => Err(source.wrong(
            value.span(),
            format!("this configuration has version {version}, and this program reads at most version {VERSION}: install a newer one"),
        )),
        Some(_) => Ok(()),
        None => Err(source.wrong(
            value.span(),
            format!("`version` is a whole number from 1, not {}: write version = {VERSION}", called(value.get_ref())),
        )),
    }
}

/// The version that this text says it has; the first one where it does not say. Nothing of a text that is no TOML.
pub(crate) fn version_of(text: &str) -> Option<u64> {
    let root = DeTable::parse(text).ok()?;
    let said = root.get_ref().iter().find(|(name, _)| name.get_ref() == "version");
    said.map_or(Some(1), |(_, value)| whole(value.get_ref()))
}

/// An unknown name at the top of the file. The error names the table it belongs to, if that can be guessed.
fn stranger(source: &Source<'_>, name: &Spanned<std::borrow::Cow<'_, str>>, value: &Spanned<DeValue<'_>>) -> ConfigError {
    let text = name.get_ref().as_ref();
    let is_table = match value.get_ref() {
        DeValue::Table(_) => true,
        DeValue::Array(items) => items.iter().any(|item| item.get_ref().is_table()),
        _ => false,
    };
    let tables = || SINGLE.iter().chain(&SEVERAL);
    let problem = if is_table {
        let near = tables().find(|table| is_near(table, text));
        let cure = near.map_or_else(
            || format!("the tables are {}", tables().map(|table| heading(table)).collect::<Vec<_>>().join(", ")),
            |table| format!("write {}", heading(table)),
        );
        format!("there is no table `{text}`: {cure}")
    } else {
        let homes: Vec<String> = KEYS.iter().filter(|key| key.name == text).map(|key| heading(key.table)).collect();
        if homes.is_empty() {
            format!("`{text}` stands outside of every table, and is no key of any: remove it, or correct its name")
        } else {
            format!("`{text}` stands outside of every table: it belongs below {}", homes.join(" or "))
        }
    };
    source.wrong(name.span(), problem)
}

/// The same word with another ending, dashes or capitals.
fn is_near(one: &str, other: &str) -> bool {
    let bare = |text: &str| text.to_ascii_lowercase().replace(['-', '_'], "").trim_end_matches('s').to_owned();
    bare(one) == bare(other)
}

/// One of several tables of this name.
fn prove_item(source: &Source<'_>, table: &str, item: &Spanned<DeValue<'_>>, mistakes: &mut Mistakes) {
    if let DeValue::Table(keys) = item.get_ref() {
        prove_keys(source, table, keys, mistakes);
    } else {
        let problem = format!("each `{table}` is a table: write [[{table}]] and its keys below, not {}", called(item.get_ref()));
        mistakes.note::<()>(Err(source.wrong(item.span(), problem)));
    }
}

fn prove_keys(source: &Source<'_>, table: &str, keys: &DeTable<'_>, mistakes: &mut Mistakes) {
    for (name, value) in keys {
        let text = name.get_ref().as_ref();
        let of_table = || KEYS.iter().filter(|key| key.table == table);
        let proved = match of_table().find(|key| key.name == text) {
            Some(key) => prove_value(source, key, value),
            None => {
                let near = of_table().find(|key| is_near(key.name, text));
                let problem = near.map_or_else(
                    || unknown_key(text, &of_table().map(|key| key.name).collect::<Vec<_>>()),
                    |near| format!("unknown key `{text}` in {}: it is called `{}`", heading(table), near.name),
                );
                Err(source.wrong(name.span(), problem))
            }
        };
        mistakes.note(proved);
    }
}

fn unknown_key(name: &str, known: &[&str]) -> String {
    if known.is_empty() {
        format!("unknown key `{name}`: remove it, or correct its name")
    } else {
        format!("unknown key `{name}`: the keys here are {}", known.join(", "))
    }
}

fn prove_value(source: &Source<'_>, key: &Key, value: &Spanned<DeValue<'_>>) -> Result<(), ConfigError> {
    let Key { name, example, .. } = key;
    let wrong = |at: &Spanned<DeValue<'_>>, what: &str| {
        let problem = format!("`{name}` {what}, and not {}: write {example}", called(at.get_ref()));
        Err(source.wrong(at.span(), problem))
    };
    match (key.holds, value.get_ref()) {
        (Holds::Text, DeValue::String(_)) | (Holds::Flag, DeValue::Boolean(_)) => Ok(()),
        (Holds::Text, _) => wrong(value, "is a text in quotes"),
        (Holds::Flag, _) => wrong(value, "is true or false, without quotes"),
        (Holds::Texts, DeValue::Array(items)) => match items.iter().find(|item| !item.get_ref().is_str()) {
            Some(item) => wrong(item, "is a list of texts, each in quotes"),
            None => Ok(()),
        },
        (Holds::Texts, _) => wrong(value, "is a list, in brackets, of texts in quotes"),
        (Holds::Whole, _) if whole(value.get_ref()).is_some() => Ok(()),
        (Holds::Whole, _) => wrong(value, "is a whole number, not below zero, without quotes"),
        (Holds::Window, DeValue::Array(items)) if items.len() == 2 => match items.iter().find(|item| whole(item.get_ref()).is_none()) {
            Some(item) => wrong(item, "is [least, most], two whole numbers of GB"),
            None => Ok(()),
        },
        (Holds::Window, DeValue::Array(items)) => {
            let problem = format!("`{name}` is [least, most], two whole numbers of GB, and not {} of them: write {example}", items.len());
            Err(source.wrong(value.span(), problem))
        }
        (Holds::Window, _) => wrong(value, "is [least, most], two whole numbers of GB in brackets"),
        (Holds::Word(words), DeValue::String(word)) if words.contains(&word.as_ref()) => Ok(()),
        (Holds::Word(words), _) => {
            let words: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
            let (last, others) = words.split_last().unwrap_or((&words[0], &[]));
            wrong(value, &format!("is {} or {last}", others.join(", ")))
        }
        (Holds::Lamp, DeValue::Table(leds)) => match leds.iter().find(|(_, led)| !led.get_ref().is_str()) {
            Some((led, value)) => {
                let problem = format!(
                    "`{}` of `{name}` is the name of an LED, in quotes, and not {}: write {example}",
                    led.get_ref(),
                    called(value.get_ref())
                );
                Err(source.wrong(value.span(), problem))
            }
            None => Ok(()),
        },
        (Holds::Lamp, _) => wrong(value, "is a table of LEDs by their colour"),
        (Holds::Bins, DeValue::Table(bins)) => bins.iter().try_for_each(|(bin, value)| prove_bin(source, bin.get_ref(), value, example)),
        (Holds::Bins, _) => wrong(value, "is a table of bins, each with `word` and `colour`"),
    }
}

/// Checks the value of one of the bins.
fn prove_bin(source: &Source<'_>, bin: &str, value: &Spanned<DeValue<'_>>, example: &str) -> Result<(), ConfigError> {
    let DeValue::Table(keys) = value.get_ref() else {
        let problem =
            format!("`{bin}` of `bins` is a table with `word` and `colour`, and not {}: write {example}", called(value.get_ref()));
        return Err(source.wrong(value.span(), problem));
    };
    match keys.iter().find(|(_, value)| !value.get_ref().is_str()) {
        Some((key, value)) => {
            let problem =
                format!("`{}` of `{bin}` is a text in quotes, and not {}: write {example}", key.get_ref(), called(value.get_ref()));
            Err(source.wrong(value.span(), problem))
        }
        None => Ok(()),
    }
}

/// A number that fits the integer types used here.
pub(super) fn whole(value: &DeValue<'_>) -> Option<u64> {
    let number = value.as_integer()?;
    u64::from_str_radix(number.as_str(), number.radix()).ok().filter(|number| i64::try_from(*number).is_ok())
}

/// A value, described for people.
fn called(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("the text {:?}", text.as_ref()),
        DeValue::Integer(number) => format!("the number {}", number.as_str()),
        DeValue::Float(number) => format!("{}, a number with a fraction", number.as_str()),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(time) => format!("the time {time} without quotes"),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

/// The error for a text that is not TOML. `text` is the file, `at` the place of the parser's error.
fn syntax(text: &str, message: &str, at: Option<std::ops::Range<usize>>) -> String {
    let start = at.as_ref().map_or(0, |at| at.start.min(text.len()));
    let line = text.get(text[..start].rfind('\n').map_or(0, |end| end + 1)..).and_then(|rest| rest.lines().next()).unwrap_or_default();
    if message.contains("escape") || line.contains('\\') && line.contains('"') {
        return "a backslash in a text in double quotes begins an escape: write a path with /, or the text in single quotes, as in image = '\\\\server\\images\\box.img'".to_owned();
    }
    if message.contains("must be quoted") || message.contains("opening quote") {
        return format!("a text stands in quotes, from the first to the last letter, as in name = \"A1\": {}", line.trim());
    }
    if message.contains("duplicate key") {
        let name = at.and_then(|at| text.get(at)).unwrap_or_default().trim();
        if line.trim_start().starts_with('[') {
            let name = name.trim_matches(['[', ']', ' ']);
            return format!("[{name}] is there twice: put all keys of `{name}` below one of them, and remove the other");
        }
        return format!("`{name}` is there twice in one table: remove one, or begin the next table before it");
    }
    format!(
        "this line is no TOML ({message}): a line is [table], [[table]], key = value, or # a remark; `config.example.toml` shows all of them"
    )
}

/// The words for errors of the tables themselves: an unknown or a missing key.
pub(super) fn translated(message: &str) -> String {
    if let Some(rest) = message.strip_prefix("unknown field `")
        && let Some((name, expected)) = rest.split_once('`')
    {
        let keys: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
        return unknown_key(name, &keys);
    }
    if let Some(name) = message.strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
        let example = KEYS.iter().find(|key| key.name == name).map_or_else(|| format!("{name} = …"), |key| key.example.to_owned());
        return format!("this table has no `{name}`: add {example}");
    }
    // These words replace the names of this program's own types.
    format!("this value is of another kind than its key takes ({message}): see `config.example.toml`")
}

#[cfg(test)]
mod cases {
    use super::*;
    use crate::config::tests::{GOOD, proved};

    #[test]
    fn a_value_of_another_kind_is_told_with_line_key_and_an_example() {
        let slot = |line: &str| GOOD.replacen("model = \"acme/box\"", &format!("model = \"acme/box\"\n{line}"), 1);
        let model = |line: &str| GOOD.replacen("image = \"box.img\"", &format!("image = \"box.img\"\n{line}"), 1);
        let top = |line: &str| GOOD.replacen("\n[[model]]", &format!("{line}\n[[model]]"), 1);
        let cases = [
            (
                slot("capacity_gb = [7.5, 17]"),
                "line 10: `capacity_gb` is [least, most], two whole numbers of GB, and not 7.5, a number with",
            ),
            (
                slot("capacity_gb = 16"),
                "line 10: `capacity_gb` is [least, most], two whole numbers of GB in brackets, and not the number 16",
            ),
            (slot("capacity_gb = [16]"), "line 10: `capacity_gb` is [least, most], two whole numbers of GB, and not 1 of them"),
            (slot("capacity_gb = [-1, 8]"), "line 10: `capacity_gb` is [least, most]"),
            (slot("capacity_gb = \"7-17\""), "line 10: `capacity_gb` is [least, most]"),
            (
                slot("lamp = \"mmc0::\""),
                "line 10: `lamp` is a table of LEDs by their colour, and not the text \"mmc0::\": write lamp = { led",
            ),
            (slot("lamp = { led = 3 }"), "line 10: `led` of `lamp` is the name of an LED, in quotes, and not the number 3"),
            (slot("cards = true"), "line 10: `cards` is \"reuse\" or \"blank\", and not true"),
            (slot("hangs_on = [1]"), "line 10: `hangs_on` is a list of texts, each in quotes, and not the number 1"),
            (slot("Cards = \"blank\""), "line 10: unknown key `Cards` in [[slot]]: it is called `cards`"),
            (slot("port = [\"p\"]"), "line 10: unknown key `port` in [[slot]]: it is called `ports`"),
            (model("require = false"), "line 5: `require` is \"proven\", \"matching\" or \"none\", and not false"),
            (model("allow = \"gaps\""), "line 5: `allow` is a list, in brackets, of texts in quotes, and not the text \"gaps\""),
            (model("zeroes = 0"), "line 5: `zeroes` is \"prove\", \"write\" or \"skip\", and not the number 0"),
            (top("[station]\nsettle_ms = 0.7"), "line 2: `settle_ms` is a whole number, not below zero, without quotes, and not 0.7"),
            (top("[station]\nsettle_ms = \"700\""), "line 2: `settle_ms` is a whole number"),
            (top("[station]\nsettle_ms = -1"), "line 2: `settle_ms` is a whole number"),
            (top("[station]\nsettle_ms = 99999999999999999999"), "line 2: `settle_ms` is a whole number"),
            (top("[station]\nname = 3"), "line 2: `name` is a text in quotes, and not the number 3: write name = \"line 3\""),
            (top("[station]\nflash_present = \"no\""), "line 2: `flash_present` is true or false, without quotes, and not the text \"no\""),
            (top("[shift]\nstarts = [06:00:00]"), "line 2: `starts` is a list of texts, each in quotes, and not the time 06:00:00"),
            (top("[panel]\nbell = 1"), "line 2: `bell` is true or false, without quotes, and not the number 1: write bell = true"),
            (top("[panel]\nlanguage = \"fr\""), "line 2: `language` is \"en\", \"de\", \"es\", \"pl\" or \"zh\", and not the text \"fr\""),
            (top("[policy]\nrules = true"), "line 2: `rules` is \"warn\" or \"required\", and not true"),
            (top("[[station]]\nname = \"a\""), "line 1: there is one `station`: write [station] with single brackets"),
            (top("station = \"a\""), "line 1: `station` is a table: write [station] on a line of its own"),
            (top("[stations]\nname = \"a\""), "line 1: there is no table `stations`: write [station]"),
            (top("[printer]\nname = \"a\""), "line 1: there is no table `printer`: the tables are [station], "),
            (top("settle_ms = 700"), "line 1: `settle_ms` stands outside of every table: it belongs below [station]"),
            (top("version = 2"), "line 1: this configuration has version 2, and this program reads at most version 1: install a newer one"),
            (top("version = 2\nfuture = true"), "line 1: this configuration has version 2"),
            (top("version = 0"), "line 1: `version` is a whole number from 1, not the number 0: write version = 1"),
            (top("version = \"1\""), "line 1: `version` is a whole number from 1, not the text \"1\""),
            (top("colour = 700"), "line 1: `colour` stands outside of every table, and is no key of any"),
            (GOOD.replacen("[[slot]]", "[slot]", 1), "line 6: write [[slot]] with two brackets"),
            (
                GOOD.replacen("ports = [", "ports = \"p\" # [", 1),
                "line 8: `ports` is a list, in brackets, of texts in quotes, and not the text \"p\"",
            ),
            (GOOD.replacen("model = \"acme/box\"", "", 1), "this table has no `model`: add model = \"acme/box\""),
            (GOOD.replacen("box.img", "D:\\images\\box.img", 1), "line 4: a backslash in a text in double quotes begins an escape"),
            (GOOD.replacen("\"box.img\"", "box.img", 1), "line 4: a text stands in quotes"),
            (GOOD.replacen("name = \"A1\"", "name = \"A1\"\nname = \"A2\"", 1), "line 8: `name` is there twice in one table"),
            (
                top("[station]\nname = \"a\"\n[panel]\nbell = true\n[station]\nsettle_ms = 700"),
                "line 5: [station] is there twice: put all keys of `station` below one of them",
            ),
            (top("[station]\nsettle_ms = 700000"), "line 2: `settle_ms` is at most 60000"),
            (top("[station]\nsettle_ms = 9223372036854775807"), "line 2: `settle_ms` is at most 60000"),
            (top("[station]\nstall_timeout_s = 9223372036854775807"), "line 2: `stall_timeout_s` is at most 3600"),
            (
                slot("capacity_gb = [8, 18446744073]"),
                "line 10: `capacity_gb` is [least, most] in GB, as printed on cards, at most 1000000: ",
            ),
            (slot("capacity_gb = [8, 9223372036854775807]"), "line 10: `capacity_gb` is [least, most] in GB, as printed on cards"),
            (slot("capacity_gb = [16, 8]"), "line 10: `capacity_gb`: the least, 16, is more than the most, 8"),
            (GOOD.replacen("[[model]]", "[[model]", 1), "line 2: this line is no TOML ("),
        ];
        for (text, says) in cases {
            let error = proved(&text).expect_err(says);
            assert!(error.contains(says), "{text}\n says: {error}\n not:  {says}");
            for word in ["u64", "expected struct", "sequence", "invalid type", "variant", "field", "map"] {
                assert!(!error.contains(word), "a word of this program's own: {error}");
            }
        }
    }

    #[test]
    fn a_file_that_is_not_utf_8_is_told_how_to_be_saved() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("config.toml");
        std::fs::write(directory.path().join("box.img"), [1]).expect("written");
        let read = |bytes: &[u8]| {
            std::fs::write(&path, bytes).expect("written");
            crate::config::read(&path, crate::config::ImageCheck::Proved).map(drop).map_err(|error| error.to_string())
        };
        let utf_16 =
            |first: [u8; 2], bytes: fn(u16) -> [u8; 2]| first.into_iter().chain(GOOD.encode_utf16().flat_map(bytes)).collect::<Vec<u8>>();
        for bytes in [utf_16([0xff, 0xfe], u16::to_le_bytes), utf_16([0xfe, 0xff], u16::to_be_bytes), utf_16(*b"[\0", u16::to_le_bytes)] {
            assert!(read(&bytes).expect_err("UTF-16").contains("line 1: the file is UTF-16: save it as UTF-8"));
        }
        let latin = GOOD.replace("A1", "Gr").into_bytes();
        let at = latin.windows(2).position(|pair| pair == b"Gr").expect("it is there");
        let latin: Vec<u8> = [&latin[..at + 2], &[0xfc], &latin[at + 2..]].concat();
        assert!(read(&latin).expect_err("Latin-1").contains("line 7: the file is not UTF-8: save it as UTF-8"));
        read(&[b"\xef\xbb\xbf", GOOD.as_bytes()].concat()).expect("Notepad's mark before UTF-8 is no fault");
        read(GOOD.replace('\n', "\r\n").as_bytes()).expect("nor are its line ends");
    }

    #[test]
    fn every_key_of_the_example_is_held_to_its_kind() {
        let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/config.example.toml")).expect("it is there");
        let example: toml::Table = toml::from_str(&text).expect("it is TOML");
        for (table, value) in &example {
            let tables = value.as_array().map_or_else(|| vec![value], |several| several.iter().collect());
            for name in tables.iter().filter_map(|value| value.as_table()).flat_map(toml::Table::keys) {
                assert!(KEYS.iter().any(|key| key.table == table && key.name == name), "`{name}` of [{table}] has a row in KEYS");
            }
        }
    }
}
