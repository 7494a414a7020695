//! Tests of `flashline model check`: a signed chain under a test root, changed copies of it, and the outcome and exit code of each.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// A time at which the keys of the fixtures are valid.
const NOW: &str = "2026-11-22T00:00:00Z";
const BRAND: &str = "Fx7Qm2VtY9sKd4RwLpZ3bN8cHjG6aTu1";

fn data(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/snap").join(path)
}

/// Exit code, standard output, standard error.
fn flashline(args: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_flashline")).args(args).current_dir(data("")).output().expect("it runs");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (output.status.code().expect("it ends by itself"), text(output.stdout), text(output.stderr))
}

/// Exit code and the objects printed, with the trust of the fixtures.
fn check(files: &[&str]) -> (i32, Vec<Value>) {
    let trust = ["--json", "--at", NOW, "--trust", "chain/test-root.trusted", "--with", "chain/accounts-and-keys.bundle"];
    let (code, out, _) = flashline(&[&["model", "check"], files, &trust].concat());
    (code, out.lines().map(|line| serde_json::from_str(line).expect("one object a line")).collect())
}

fn problems(object: &Value) -> String {
    let problems = object["problems"].as_array().expect("a list");
    problems.iter().map(|problem| problem.as_str().expect("a sentence")).collect::<Vec<_>>().join("\n")
}

/// A sentence from the refusal of each tampered file: it is refused for the right reason.
const REASONS: [(&str, &str); 33] = [
    ("k01", "which is valid from 2026-02-01T00:00:00Z until 2026-06-01T00:00:00Z, and not at 2026-11-22"),
    ("p01", "not an RSA signature with SHA-512"),
    ("p03", "bytes behind it that belong to nothing"),
    ("p06", "not one new-format OpenPGP packet"),
    ("s01", "`authority-id` is"),
    ("s02", "`model` must be lower-case"),
    ("s04", "`timestamp` must be an RFC 3339 time"),
    ("s06", "`gadget` is missing"),
    ("s08", "`required-snaps` must be a list"),
    ("s09", "`kernel` has \"edge\" behind `=`"),
    ("s14", "`series` must be 16"),
    ("s17", "`format` is 99"),
    ("s21", "`classic` is true"),
    ("s31", "has myawesomesnap with `id` missing"),
    ("s34", "lists no kernel"),
    ("s35", "`required-snaps` cannot stand beside `snaps`"),
    ("s39", "`storage-safety` is prefer-unencrypted"),
    ("t01", "the signature does not fit"),
    ("t03", "no account-key assertion of it is known"),
    ("t04", "the signature does not fit"),
    ("t05", "it is not base64"),
    ("t07", "there is no signature"),
    ("t10", "CR LF"),
    ("t11", "`kernel` is there twice"),
    ("t13", "byte order mark"),
    ("t15", "not UTF-8"),
    ("t16", "there is no assertion in it"),
    ("t22", "the signature does not fit"),
    ("t24", "it is not signed"),
    ("a01", "but the key in the body is"),
    ("a05", "only a root's word counts"),
    ("d01", "only a root's word counts"),
    ("accepted", ""),
];

#[test]
fn every_tampered_file_has_the_outcome_listed_for_it_and_is_refused_for_its_own_reason() {
    let listed = fs::read_to_string(data("tampered/EXPECTED.tsv")).expect("the list");
    let mut count = 0;
    for line in listed.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split('\t').collect();
        let (code, objects) = check(&[&format!("tampered/{}", fields[0])]);
        let accepted = fields[1] == "accepted";
        assert_eq!((code, &objects[0]["accepted"]), (i32::from(!accepted), &Value::Bool(accepted)), "{line}: {objects:?}");
        if !accepted {
            let (_, reason) = REASONS.iter().find(|(name, _)| fields[0].starts_with(name)).expect("each has its reason");
            assert!(problems(&objects[0]).contains(reason), "{}: {reason}: {}", fields[0], problems(&objects[0]));
        }
        count += 1;
    }
    assert_eq!(count, 36, "the whole list was tried");
}

#[test]
fn a_signed_model_under_a_trusted_root_is_accepted_and_described() {
    for name in ["my-pi3", "my-pi3-r1", "my-pi18", "my-pc16", "my-pc22"] {
        assert_eq!(check(&[&format!("brand/{name}.model")]).0, 0, "{name}");
    }
    let (_, objects) = check(&["brand/my-pc22.model"]);
    let expected = serde_json::json!({
        "file": "brand/my-pc22.model", "type": "model", "accepted": true, "brand": BRAND, "model": "my-pc22", "series": "16",
        "architecture": "amd64", "grade": "signed", "required_snaps": ["myawesomesnap", "mysecondawesomesnap"], "problems": [],
        "warnings": objects[0]["warnings"],
    });
    assert_eq!(objects[0], expected);
    assert!(objects[0]["warnings"][0].as_str().is_some_and(|warning| warning.starts_with("`serial-authority` does not list `generic`")));
    let (_, objects) = check(&["brand/my-pi18.model"]);
    assert_eq!(objects[0]["warnings"], serde_json::json!([]), "this one lists it");
    assert_eq!(objects[0]["grade"], Value::Null);
}

#[test]
fn everything_else_in_the_chain_is_accepted_too() {
    let mut tried = 0;
    for entry in fs::read_dir(data("chain")).expect("the folder is there") {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        let declaration = |id: &str| format!("chain/16,{id}.snap-declaration");
        let file = format!("chain/{name}");
        let kind = name.rsplit('.').next().unwrap_or_default();
        let code = match kind {
            "account-key" if fs::read_to_string(data(&file)).expect("a key").contains("\nuntil: 2026-06-01") => {
                let (code, objects) = check(&[&file]);
                assert!(code == 1 && problems(&objects[0]).contains("the key has expired"), "it was valid until June: {objects:?}");
                0
            }
            "account" | "account-key" | "snap-declaration" | "bundle" | "trusted" => check(&[&file]).0,
            "snap-revision" => {
                let (code, objects) = check(&[&file]);
                assert_eq!(code, 1, "a revision says nothing without the declaration of its snap");
                let missing = problems(&objects[0]);
                assert!(missing.contains("no snap-declaration of it is known"), "{missing}");
                let id = missing.split("`snap-id` is ").nth(1).and_then(|rest| rest.split(',').next()).expect("it names the snap");
                check(&[&file, "--with", &declaration(id)]).0
            }
            _ => continue,
        };
        assert_eq!(code, 0, "{name}");
        tried += 1;
    }
    assert!(tried > 30, "the whole chain was tried: {tried}");
}

#[test]
fn names_mean_nothing_and_what_only_completes_a_chain_is_trusted_for_nothing() {
    let impostor: Vec<String> = fs::read_dir(data("impostor"))
        .expect("the folder")
        .map(|entry| entry.expect("an entry").path())
        .collect::<Vec<_>>()
        .into_iter()
        .filter(|path| path.extension().is_some_and(|kind| kind != "model"))
        .map(|path| path.display().to_string())
        .collect();
    let with: Vec<&str> = impostor.iter().flat_map(|file| ["--with", file]).collect();
    let (code, out, _) = flashline(&[&["model", "check", "impostor/my-pi3.model", "--at", NOW], with.as_slice()].concat());
    assert!(code == 1 && out.contains("which no trusted root vouches for"), "a canonical of one's own: {out}");
    let with_root = [
        "model",
        "check",
        "brand/my-pi3.model",
        "--at",
        NOW,
        "--with",
        "chain/test-root.trusted",
        "--with",
        "chain/accounts-and-keys.bundle",
    ];
    let (code, out, _) = flashline(&with_root);
    assert!(code == 1 && out.contains("which no trusted root vouches for"), "a root that is known, and not trusted: {out}");
    let (code, out, _) = flashline(&["model", "check", "brand/my-pi3.model", "--at", NOW, "--trust", "chain/test-root.trusted"]);
    assert!(code == 1 && out.contains("no account-key assertion of it is known"), "a chain with a link missing: {out}");
    let (code, objects) = check(&["brand/other-key.model"]);
    assert!(code == 1 && problems(&objects[0]).contains("no account-key assertion of it is known"));
}

#[test]
fn keys_are_judged_at_the_time_given() {
    let at = |time: &str| {
        let trust = ["--trust", "chain/test-root.trusted", "--with", "chain/accounts-and-keys.bundle", "--at", time];
        flashline(&[&["model", "check", "brand/my-pi3.model"], trust.as_slice()].concat()).0
    };
    assert_eq!(at("2026-02-01T00:00:00Z"), 0);
    assert_eq!(at("2026-01-31T23:59:59Z"), 1, "the brand's key is not valid yet");
    assert_eq!(at("yesterday, perhaps"), 2, "no time at all is a wrong call");
    // A key alone is judged as well, and the result names the end of its validity that was passed.
    const GONE: &str = "chain/him8SWcxo-QJrVXf_-aWs-doDDkGOEqUODnmg7igmyOTNh2Nyehn7uXvgEvU11z9.account-key";
    let key_at = |time: &str| {
        let trust = ["--trust", "chain/test-root.trusted", "--with", "chain/accounts-and-keys.bundle", "--at", time];
        let (code, out, _) = flashline(&[&["model", "check", GONE], trust.as_slice()].concat());
        (code, out)
    };
    for (time, words) in [
        ("2026-01-31T23:59:59Z", "`since` is 2026-02-01T00:00:00Z, and now it is 2026-01-31T23:59:59Z: the key is not valid yet"),
        ("2026-02-01T00:00:00Z", "accepted"),
        ("2026-05-31T23:59:59Z", "accepted"),
        ("2026-06-01T00:00:00Z", "`until` is 2026-06-01T00:00:00Z, and now it is 2026-06-01T00:00:00Z: the key has expired"),
    ] {
        let (code, out) = key_at(time);
        assert_eq!((code, out.contains(words)), (i32::from(words != "accepted"), true), "{time}: {out}");
    }
}

#[test]
fn what_was_not_filled_in_or_not_signed_is_named() {
    let (code, objects) = check(&["brand/placeholder-account-id.model"]);
    let found = problems(&objects[0]);
    assert!(code == 1 && found.contains("`brand-id` still has the placeholder \"<your account id>\""), "{found}");
    for name in ["my-pi3", "my-pi3-r1", "my-pi18", "my-pc16", "my-pc22"] {
        let (code, objects) = check(&[&format!("brand/{name}.json")]);
        let found = problems(&objects[0]);
        assert!(code == 1 && found.starts_with("it is not signed") && !found.contains('\n'), "nothing else is wrong with {name}: {found}");
        assert_eq!(objects[0]["model"], name.trim_end_matches("-r1"));
    }
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("model.json");
    let json = r#"{"type": "model", "authority-id": "<your account id>", "brand-id": "<your account id>", "series": 16, "model": "box",
                   "architecture": "amd64", "gadget": "pc", "kernel": "pc-kernel", "timestamp": "<timestamp>"}"#;
    fs::write(&path, json).expect("it can be written");
    let (code, objects) = check(&[path.to_str().expect("text")]);
    let found = problems(&objects[0]);
    assert!(!found.contains("`body`"), "{found}");
    fs::write(&path, json.replacen('{', r#"{"body": "more", "#, 1)).expect("it can be written");
    let (_, objects) = check(&[path.to_str().expect("text")]);
    assert!(problems(&objects[0]).contains("`body` would be signed as a body, and a model has no body: remove it"));
    for words in ["`series` is 16 and must be a text in quotes", "`authority-id` still has", "`timestamp` still has", "it is not signed"] {
        assert!(found.contains(words), "{words}: {found}");
    }
    assert_eq!(code, 1);
}

#[test]
fn a_file_that_can_be_read_is_judged_and_one_that_cannot_is_a_wrong_call() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = |name: &str, bytes: &[u8]| {
        let path = directory.path().join(name);
        fs::write(&path, bytes).expect("it can be written");
        path.to_str().expect("text").to_owned()
    };
    let good = fs::read(data("brand/my-pi3.model")).expect("a model");
    let two = [good.as_slice(), b"\n", &fs::read(data("brand/my-pc16.model")).expect("a model")].concat();
    let headers = [b"type: ".as_slice(), &vec![b'x'; 2 << 20], b"\n\nAcLB\n"].concat();
    for (name, bytes, words) in [
        ("two", two.as_slice(), "there are 2 models in it"),
        ("twice", [good.as_slice(), b"\n", &good].concat().as_slice(), "there are 2 models in it"),
        ("rubbish", &(0..=255).cycle().take(100_000).collect::<Vec<u8>>(), "not UTF-8"),
        ("zeroes", &[0; 4096], "is no header"),
        ("headers", &headers, "the headers are longer"),
        ("behind", &[good.as_slice(), b"\n\n\nmore"].concat(), "an empty line where an assertion must begin"),
        ("array", b"[1]", "one JSON object"),
        ("broken json", b"{\"type\": ", "neither an assertion nor JSON"),
        ("serial", &fs::read(data("chain/FX-2026-000001.serial")).expect("a serial"), "`type` is serial"),
        ("unknown type", &String::from_utf8_lossy(&good).replace("type: model", "type: modell").into_bytes(), "is no type of assertion"),
    ] {
        let (code, objects) = check(&[&file(name, bytes)]);
        assert_eq!(code, 1, "{name}: {objects:?}");
        assert!(problems(&objects[0]).contains(words), "{name}: {}", problems(&objects[0]));
    }
    // Behind the signature one empty line may follow, as in a stream.
    assert_eq!(check(&[&file("stream", &[good.as_slice(), b"\n"].concat())]).0, 0);
    let huge = directory.path().join("huge");
    fs::File::create(&huge).and_then(|file| file.set_len(1 << 40)).expect("a hole");
    for unusable in ["missing.model", ".", huge.to_str().expect("text"), "/dev/null"] {
        let (code, objects) = check(&[unusable]);
        assert_eq!((code, &objects[0]["accepted"], &objects[0]["type"]), (2, &Value::Bool(false), &Value::Null), "{unusable}");
    }
    assert_eq!(check(&["brand/my-pi3.model", "brand/other-key.model"]).0, 1, "one refused file is enough");
    assert_eq!(check(&["missing.model", "brand/other-key.model", "brand/my-pi3.model"]).0, 2);
    assert_eq!(check(&["missing.model", "brand/my-pi3.model"]).1.len(), 2, "and each is reported all the same");
    for call in [
        vec!["model", "check"],
        vec!["model"],
        vec!["model", "check", "brand/my-pi3.model", "--trust", "missing"],
        vec![
            "model",
            "check",
            "brand/my-pi3.model",
            "--trust",
            "chain/LT_gepNyDOhO5xDdP6tYmn5MPsTZjKtNcMnAUKW8EEZ21v2M6u6hl2sKDOE_Cwnh.account-key",
        ],
        vec!["model", "check", "brand/my-pi3.model", "--with", "tampered/t10-crlf.model"],
        vec!["model", "check", "brand/my-pi3.model", "--with", "tampered/t16-empty.model"],
    ] {
        let (code, _, error) = flashline(&call);
        assert!(code == 2 && !error.is_empty(), "{call:?}: {error}");
    }
}

#[test]
fn no_name_in_a_file_reaches_the_terminal_as_more_than_text() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("loud.model");
    let good = fs::read_to_string(data("brand/my-pi3.model")).expect("a model");
    fs::write(&path, good.replace("model: my-pi3", "model: \u{1b}[32maccepted\u{7}").replace("- myawesomesnap", "- \u{1b}[2J"))
        .expect("it can be written");
    let (code, out, _) = flashline(&["model", "check", path.to_str().expect("text")]);
    assert_eq!(code, 1);
    assert!(!out.contains(['\u{1b}', '\u{7}']), "{out:?}");
}
