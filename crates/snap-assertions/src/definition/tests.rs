//! Tests of every rule of models: one rule is broken at a time. Also models that only look wrong.

use super::*;
use crate::text::Stream;

const CORE16: &str = "type: model\nauthority-id: my-brand\nseries: 16\nbrand-id: my-brand\nmodel: my-pi3\narchitecture: armhf\n\
                      gadget: pi3\nkernel: pi2-kernel\nrequired-snaps:\n  - one\nserial-authority:\n  - generic\n\
                      timestamp: 2026-11-20T08:00:00Z";
const CORE22: &str = "type: model\nauthority-id: my-brand\nseries: 16\nbrand-id: my-brand\nmodel: my-pc\narchitecture: amd64\n\
                      base: core22\nsnaps:\n  -\n    id: UqFziVZDHLSyO3TqSWgNBoAdHbLI4dAH\n    name: pc\n    type: gadget\n  -\n    \
                      id: pYVQrBcKmBa0mZ4CCN7ExT6jH8rY1hza\n    name: pc-kernel\n    type: kernel\n  -\n    \
                      id: aW3s0meSnapIdForTheFixtureNo0001\n    name: one\nserial-authority:\n  - generic\n\
                      timestamp: 2026-11-20T08:00:00Z";

fn read(headers: &str) -> (Model, Findings) {
    let text =
        Stream::new(format!("{headers}\n\nAcLB").as_bytes()).next().expect("one").unwrap_or_else(|error| panic!("{error}: {headers}"));
    Model::read(&text.headers)
}

/// Returns the problems that are found when `from` is replaced by `to`.
fn found(good: &str, from: &str, to: &str) -> Findings {
    assert!(good.contains(from), "{from:?} is there to be changed");
    read(&good.replacen(from, to, 1)).1
}

#[test]
fn good_models_break_no_rule_and_say_what_they_need() {
    let (model, findings) = read(CORE16);
    assert_eq!(findings, Findings::default());
    let names = |model: &Model| model.snaps.iter().map(|snap| snap.name.clone()).collect::<Vec<_>>().join(" ");
    assert_eq!(names(&model), "core pi2-kernel pi3 one", "core is assumed and has no header");
    assert_eq!((model.gadget().map(|snap| snap.name.as_str()), model.base.as_deref()), (Some("pi3"), None));
    let (model, _) = read(&CORE16.replace("gadget: pi3", "base: core18\ngadget: pi=18-pi"));
    assert_eq!(names(&model), "snapd pi2-kernel core18 pi one");
    assert_eq!(model.gadget().and_then(|snap| snap.channel.as_deref()), Some("18-pi"));
    let (model, findings) = read(CORE22);
    assert_eq!(findings, Findings::default());
    assert_eq!(names(&model), "snapd pc-kernel core22 pc one", "snapd and a base that everybody knows are implied");
    assert!(model.essential().all(|snap| snap.id.is_some()));
    assert_eq!(model.required_snaps, ["one"]);
}

#[test]
fn every_rule_of_core_16_and_18_is_named_with_its_header() {
    for (from, to, words) in [
        ("authority-id: my-brand", "authority-id: other", "`authority-id` is other"),
        ("brand-id: my-brand\n", "", "`brand-id` is missing"),
        ("series: 16", "series: 18", "`series` must be 16"),
        ("model: my-pi3", "model: My-Pi3", "`model` must be"),
        ("model: my-pi3", "model: ", "`model` is empty"),
        ("model: my-pi3", "model: a/b", "`model` must be"),
        ("architecture: armhf\n", "", "`architecture` is missing"),
        ("architecture: armhf", "architecture: armv7", "`architecture` must be"),
        ("timestamp: 2026-11-20T08:00:00Z", "timestamp: today", "`timestamp` must be"),
        ("timestamp: 2026-11-20T08:00:00Z", "timestamp: <timestamp>", "`timestamp` still has the placeholder \"<timestamp>\""),
        ("- one", "- <your snap>", "`required-snaps` still has the placeholder"),
        ("- one", "- One", "`required-snaps` has \"One\" in it"),
        ("  - one", "  one: two", "`required-snaps` must be a list"),
        ("gadget: pi3\n", "", "`gadget` is missing"),
        ("kernel: pi2-kernel\n", "", "`kernel` is missing"),
        ("gadget: pi3", "gadget: pi=stable", "`gadget` has \"stable\""),
        ("gadget: pi3", "gadget: pi=18/stable", "`gadget` has \"18/stable\""),
        ("gadget: pi3", "gadget: pi=18=19", "`gadget` has \"18=19\""),
        ("gadget: pi3", "gadget: pi=", "`gadget` has \"\""),
        ("gadget: pi3", "gadget: pi=1 8", "`gadget` has \"1 8\""),
        ("gadget: pi3", "gadget: pi=18\t", "`gadget` has \"18\\t\""),
        ("gadget: pi3", "gadget: pi=-18", "`gadget` has \"-18\""),
        ("kernel: pi2-kernel", "kernel: pi2-kernel=18:pi", "`kernel` has \"18:pi\""),
        ("kernel: pi2-kernel", "kernel: pi2-kernel=", "`kernel` has \"\""),
        ("kernel: pi2-kernel", "kernel: pi2-kernel=candidate", "`kernel` has \"candidate\""),
        ("kernel: pi2-kernel", "kernel: pi2-kernel=18/edge/fix", "`kernel` has \"18/edge/fix\""),
        ("kernel: pi2-kernel", "kernel:\n  - pi2-kernel", "`kernel` must be a text"),
        ("gadget: pi3", "gadget: p", "`gadget` must be"),
        ("gadget: pi3", "gadget: pi3\nclassic: true", "`classic` is true"),
        ("gadget: pi3", "gadget: pi3\nclassic: yes", "`classic` must be"),
        ("gadget: pi3", "gadget: pi3\ndistribution: ubuntu", "`distribution` is for classic"),
        ("gadget: pi3", "gadget: pi3\ncore: core", "`core` is reserved"),
        ("gadget: pi3", "gadget: pi3\nos: core", "`os` is reserved"),
        ("gadget: pi3", "gadget: pi3\nclass: general", "`class` is reserved"),
        ("gadget: pi3", "gadget: pi3\nallowed-modes: run", "`allowed-modes` is reserved"),
        ("gadget: pi3", "gadget: pi3\ngrade: signed", "`grade` is for models with `snaps`"),
        ("gadget: pi3", "gadget: pi3\nstorage-safety: encrypted", "`storage-safety` is for models with `snaps`"),
        ("gadget: pi3", "gadget: pi3\nbase: Core18", "`base` must be"),
        ("- generic", "- A", "`serial-authority` has \"A\""),
        ("gadget: pi3", "gadget: pi3\nsystem-user-authority: me", "`system-user-authority` must be a list"),
        ("gadget: pi3", "gadget: pi3\nvalidation-sets:\n  -\n    name: a", "whose `mode`"),
        ("gadget: pi3", "gadget: pi3\nvalidation-sets:\n  -\n    mode: enforce\n    name: a\n    sequence: 0", "whose `sequence` is 0"),
        ("gadget: pi3", "gadget: pi3\nvalidation-sets:\n  -\n    mode: enforce\n    name: a\n    sequence: ", "whose `sequence` must be"),
        (
            "gadget: pi3",
            "gadget: pi3\nvalidation-sets:\n  -\n    mode: enforce\n    name: a\n    sequence: 9223372036854775808",
            "whose `sequence` is 9223372036854775808, and 9223372036854775807 is the largest",
        ),
        (
            "gadget: pi3",
            "gadget: pi3\nvalidation-sets:\n  -\n    account-id:\n      - my-brand\n    mode: enforce\n    name: a",
            "whose `account-id` is a list or map",
        ),
        ("gadget: pi3", "gadget: pi3\nvalidation-sets:\n  - a", "`validation-sets` must be a list of maps"),
        (
            "gadget: pi3",
            "gadget: pi3\nvalidation-sets:\n  -\n    mode: enforce\n    name: a\n  -\n    account-id: my-brand\n    mode: prefer-enforce\n    \
             name: a",
            "`validation-sets` has the set \"a\" of \"my-brand\" twice",
        ),
        ("gadget: pi3", "gadget: pi3\nbase: snapd", "`base` is snapd"),
        ("gadget: pi3", "gadget: pi3\nbase:\n  - core18", "`base` must be a text"),
        ("gadget: pi3", "gadget: pi3\ngrade: ", "`grade` is for models with `snaps`"),
        ("gadget: pi3", "gadget: pi3\ndisplay-name:\n  - a", "`display-name` must be a text"),
        ("gadget: pi3", "gadget: pi3\nclassic: ", "`classic` is empty"),
    ] {
        let problems = found(CORE16, from, to).problems;
        assert!(problems.iter().any(|problem| problem.contains(words)), "{to:?}: {problems:?}");
        assert_eq!(problems.len(), 1, "one mistake is one problem: {problems:?}");
    }
}

#[test]
fn every_rule_of_core_20_and_newer_is_named() {
    for (from, to, words) in [
        ("base: core22\n", "", "`base` is missing"),
        ("base: core22", "base: mybase", "does not list the base mybase"),
        ("base: core22", "base: core22\ngadget: pc", "`gadget` cannot stand beside `snaps`"),
        ("base: core22", "base: core22\nkernel: pc-kernel", "`kernel` cannot stand beside `snaps`"),
        ("base: core22", "base: core22\nrequired-snaps:\n  - one", "`required-snaps` cannot stand beside `snaps`"),
        ("base: core22", "base: core22\ngrade: best", "`grade` must be"),
        ("base: core22", "base: core22\ngrade: secured\nstorage-safety: prefer-encrypted", "`storage-safety` is prefer-encrypted"),
        ("base: core22", "base: core22\nstorage-safety: none", "`storage-safety` must be"),
        ("    id: aW3s0meSnapIdForTheFixtureNo0001\n", "", "has one with `id` missing"),
        ("aW3s0meSnapIdForTheFixtureNo0001", "short", "has one with `id` \"short\""),
        (
            "aW3s0meSnapIdForTheFixtureNo0001",
            "UqFziVZDHLSyO3TqSWgNBoAdHbLI4dAH",
            "gives the id \"UqFziVZDHLSyO3TqSWgNBoAdHbLI4dAH\" to pc and to one",
        ),
        ("type: kernel", "type: app", "lists no kernel"),
        ("type: gadget", "type: kernel", "lists no gadget"),
        ("type: kernel", "type: gadget", "lists no kernel"),
        ("type: kernel", "type: boot", "has pc-kernel with `type` \"boot\""),
        ("name: one", "name: One", "has an entry whose `name` is \"One\""),
        ("name: one", "name: pc", "lists the snap pc twice"),
        ("name: one", "name: core22\n    type: base", "and the id of core22 is"),
        ("name: one", "name: core22", "lists the base core22 with `type: app`"),
        ("name: one", "name: one\n    type: snapd", "which does not fit the name"),
        ("name: one", "name: one\n    default-channel: stable", "it must begin with a track"),
        ("name: one", "name: one\n    default-channel: 22/hot", "it must begin with a track"),
        ("name: one", "name: one\n    presence: maybe", "has one with `presence` that is neither"),
        ("name: one", "name: one\n    presence:\n      - required", "has one with `presence` that is a list or map"),
        ("name: one", "name: one\n    type:\n      - app", "has one with `type` that is a list or map"),
        ("name: one", "name: one\n    default-channel:\n      a: b", "has one with `default-channel` that is a list or map"),
        ("name: one", "name: one\n    default-channel: -22/edge", "it must begin with a track"),
        ("name: one", "name: one\n    default-channel: 22/edge/", "it must begin with a track"),
        ("name: one", "name: one\n    modes:\n      - r", "that is not a list of modes"),
        ("id: aW3s0meSnapIdForTheFixtureNo0001", "id: ", "has one with `id` that is empty"),
        ("base: core22", "base: ", "`base` is empty"),
        ("base: core22", "base: snapd", "`base` is snapd"),
        (
            "base: core22\nsnaps:",
            "base: core\nsnaps:\n  -\n    id: 99T7MUlRhtI3U0QFgl5mXXESAiSwt776\n    name: core\n    type: core",
            "lists the base core with `type: core`",
        ),
        ("name: one", "name: one\n    modes: run", "that is not a list of modes"),
        ("name: one", "name: one\n    classic: true", "is for classic systems only"),
        ("name: one", "name: one\n    classic: ", "has one with `classic` that is neither"),
        ("name: one", "name: one\n    classic: False", "has one with `classic` that is neither"),
        ("name: one", "name: one\n    classic:\n      - false", "has one with `classic` that is neither"),
        ("name: one", "name: one\n    components: aa", "that is not a map of component names"),
        ("name: one", "name: one\n    components:\n      - aa", "that is not a map of component names"),
        ("name: one", "name: one\n    components:\n      aa: always", "in which aa is neither `required` nor `optional`"),
        ("name: one", "name: one\n    components:\n      aa: ", "in which aa is neither"),
        ("name: one", "name: one\n    components:\n      aa:\n        - required", "in which aa is neither"),
        ("name: one", "name: one\n    components:\n      a: required", "in which a is no name of a component"),
        ("name: one", "name: one\n    components:\n      aa:\n        presence: always", "in which aa has no `presence`"),
        ("name: one", "name: one\n    components:\n      aa:\n        modes:\n          - run", "in which aa has no `presence`"),
        ("name: one", "name: one\n    components:\n      aa:\n        presence: required\n        mode: run", "in which aa has `mode`"),
        (
            "name: one",
            "name: one\n    components:\n      aa:\n        presence: required\n        modes: run",
            "in which aa has `modes` that are not a list",
        ),
        (
            "name: one",
            "name: one\n    components:\n      aa:\n        presence: required\n        modes:\n          - run\n          - install",
            "in which aa is for the mode install, in which the snap itself is not there (it is in run)",
        ),
        (
            "name: one",
            "name: one\n    modes:\n      - recover\n    components:\n      aa:\n        presence: optional\n        modes:\n          - run",
            "in which aa is for the mode run, in which the snap itself is not there (it is in recover)",
        ),
        (
            "name: pc-kernel",
            "name: pc-kernel\n    components:\n      aa:\n        presence: optional\n        modes:\n          - install",
            "(it is in run, ephemeral)",
        ),
        ("name: pc-kernel", "name: pc-kernel\n    presence: required", "although it is essential"),
        ("name: pc\n", "name: pc\n    modes:\n      - run\n", "although it is essential"),
    ] {
        let problems = found(CORE22, from, to).problems;
        assert!(problems.iter().any(|problem| problem.contains(words)), "{to:?}: {problems:?}");
    }
    assert!(
        found(CORE22, "snaps:\n  -\n", "snaps: none\nother:\n  -\n").problems.iter().any(|found| found.contains("must be a list of maps"))
    );
    let dangerous =
        CORE22.replace("base: core22", "base: core22\ngrade: dangerous").replace("    id: aW3s0meSnapIdForTheFixtureNo0001\n", "");
    let (_, findings) = read(&dangerous);
    assert_eq!(findings.problems, Vec::<String>::new(), "snaps of a dangerous model need no id");
    assert!(findings.warnings[0].contains("`grade` is dangerous"));
}

#[test]
fn what_is_odd_is_a_warning_and_no_more() {
    for (good, from, to, words) in [
        (CORE16, "serial-authority:\n  - generic\n", "", "`serial-authority` does not list `generic`"),
        (CORE16, "gadget: pi3", "gadget: pi3\nstore: myStore", "`store` is \"myStore\""),
        (CORE16, "gadget: pi3", "gadget: pi3\nrequird-snaps: x", "`requird-snaps` is no header of a model"),
        (CORE16, "gadget: pi3", "gadget: pi3\nbase: core22", "`base` is core22"),
    ] {
        let findings = found(good, from, to);
        assert_eq!(findings.problems, Vec::<String>::new());
        assert!(findings.warnings.len() == 1 && findings.warnings[0].contains(words), "{to:?}: {:?}", findings.warnings);
    }
}

#[test]
fn what_snapd_takes_is_taken_however_odd_it_looks() {
    for (from, to) in [
        ("gadget: pi3", "gadget: pi3\nbase: "),
        ("gadget: pi3", "gadget: pi3\nclassic: false"),
        ("gadget: pi3", "gadget: pi3\nstore: "),
        ("gadget: pi3", "gadget: pi3\ndisplay-name: "),
        ("gadget: pi3", "gadget:\n    pi3"),
        ("gadget: pi3", "gadget: pi3=latest"),
        ("- one", "- one\n  - one"),
        ("- one", "- pi3"),
        ("- generic", "- generic\n  - my-brand"),
        ("gadget: pi3", "gadget: pi3\nsystem-user-authority: *"),
        ("gadget: pi3", "gadget: pi3\npreseed-authority:\n  - my-brand"),
        ("gadget: pi3", "gadget: pi3\nvalidation-sets:\n  -\n    account-id: \n    mode: enforce\n    name: a"),
        (
            "gadget: pi3",
            "gadget: pi3\nvalidation-sets:\n  -\n    mode: enforce\n    name: a\n  -\n    account-id: other\n    mode: enforce\n    name: a",
        ),
    ] {
        assert_eq!(found(CORE16, from, to).problems, Vec::<String>::new(), "{to:?}");
    }
    for (from, to) in [
        ("base: core22", "base: core22\ngrade: "),
        ("base: core22", "base: core22\nstorage-safety: "),
        ("base: core22", "base: core22\ngrade: secured\nstorage-safety: "),
        ("base: core22", "base: core22\ngrade: secured\nstorage-safety: encrypted"),
        ("base: core22", "base: mybase\ngrade: dangerous"),
        ("name: one", "name: one\n    presence: "),
        ("name: one", "name: one\n    type: "),
        ("name: one", "name: one\n    default-channel: "),
        ("name: one", "name: one\n    classic: false"),
        ("name: one", "name: one\n    whatever: else"),
        ("name: pc\n", "name: pc\n    presence: \n    default-channel: \n"),
        ("name: one", "name: one\n    components:\n      aa: required\n      bb:\n        presence: optional"),
        ("name: one", "name: one\n    components:\n      aa:\n        presence: optional\n        modes:\n          - run"),
        (
            "name: pc-kernel",
            "name: pc-kernel\n    components:\n      aa:\n        presence: required\n        modes:\n          - ephemeral",
        ),
    ] {
        assert_eq!(found(CORE22, from, to).problems, Vec::<String>::new(), "{to:?}");
    }
}

#[test]
fn what_is_empty_stands_for_the_default() {
    let (model, _) = read(&CORE16.replace("gadget: pi3", "gadget: pi3\nbase: "));
    assert_eq!((model.base.as_deref(), model.snaps[0].name.as_str()), (None, "core"), "no base is Ubuntu Core 16");
    let (model, _) =
        read(&CORE22.replace("base: core22", "base: core22\ngrade: ").replace("name: one", "name: one\n    presence: \n    type: "));
    assert_eq!(model.grade, Some(Grade::Signed));
    let one = model.snap("one").expect("it is listed");
    assert_eq!((one.kind, one.required), (SnapKind::App, true));
}

#[test]
fn nothing_in_a_model_reaches_a_sentence_raw_or_at_full_length() {
    let long = "a".repeat(30_000);
    let esc = "\u{1b}[2J\u{7}\r";
    let entry = |more: &str| CORE22.replace("name: one", &format!("name: one\n{more}"));
    for model in [
        CORE22.replace("UqFziVZDHLSyO3TqSWgNBoAdHbLI4dAH", esc).replace("aW3s0meSnapIdForTheFixtureNo0001", esc),
        CORE22.replace("UqFziVZDHLSyO3TqSWgNBoAdHbLI4dAH", &long).replace("aW3s0meSnapIdForTheFixtureNo0001", &long),
        CORE16.replace("gadget: pi3", &format!("gadget: pi={esc}\nbase: {esc}\nstore: {esc}\nclassic: {esc}")),
        CORE16.replace("gadget: pi3", &format!("gadget: pi={long}\nbase: {long}\nz{long}: x")),
        CORE16.replace(
            "gadget: pi3",
            &format!("gadget: pi3\nvalidation-sets:{0}{0}", format!("\n  -\n    account-id: {esc}\n    name: {esc}")),
        ),
        CORE16
            .replace("gadget: pi3", &format!("gadget: pi3\nvalidation-sets:{0}{0}", format!("\n  -\n    account-id: {long}\n    name: a"))),
        CORE16.replace("gadget: pi3", &format!("gadget: pi3\nvalidation-sets:\n  -\n    sequence: {esc}\n    mode: {esc}\n    name: a")),
        CORE16.replace("- one", &format!("- {esc}\n  - <{esc}>\n  - {long}")),
        entry(&format!("    components:\n      {long}: x")),
        entry(&format!("    components:\n      aa:\n        presence: required\n        {long}: x")),
        entry(&format!("    type: {esc}\n    default-channel: {esc}\n    presence: {esc}\n    classic: {esc}")),
        entry(&format!(
            "    modes:\n      - run\n      - x{}\n    components:\n      aa:\n        presence: required\n        modes:\n          - yy",
            "a".repeat(30_000)
        )),
    ] {
        let findings = read(&model).1;
        assert!(!findings.problems.is_empty());
        for sentence in findings.problems.iter().chain(&findings.warnings) {
            assert!(sentence.len() < 600 && !sentence.contains(char::is_control), "{sentence:?}");
        }
    }
}

#[test]
fn a_form_is_judged_as_the_signing_tool_judges_it_empty_lists_included() {
    let judged = |change: &dyn Fn(&mut Headers)| {
        let mut headers = Stream::new(format!("{CORE22}\n\nAcLB").as_bytes()).next().expect("one").expect("well formed").headers;
        change(&mut headers);
        Model::read(&headers).1.problems.join("\n")
    };
    let list = || Value::List(Vec::new());
    for header in ["serial-authority", "system-user-authority", "preseed-authority", "validation-sets", "whatever"] {
        assert_eq!(judged(&|headers| drop(headers.insert(header.to_owned(), list()))), "", "{header}");
    }
    for header in ["grade", "storage-safety", "store", "display-name", "classic", "base", "timestamp", "required-snaps"] {
        let found = judged(&|headers| drop(headers.insert(header.to_owned(), list())));
        assert!(found.contains(&format!("`{header}` ")), "{header}: {found}");
    }
    let kernel = |key: &'static str, value: Value| {
        judged(&move |headers| {
            let Some(Value::List(snaps)) = headers.get_mut("snaps") else { panic!("a list") };
            let Value::Map(kernel) = &mut snaps[1] else { panic!("a map") };
            kernel.insert(key.to_owned(), value.clone());
        })
    };
    assert_eq!(kernel("modes", list()), "", "no mode is none that could contradict");
    assert_eq!(kernel("components", Value::Map(Headers::new())), "");
    for key in ["type", "default-channel", "presence", "id", "name", "classic", "components"] {
        assert!(!kernel(key, list()).is_empty(), "{key}");
    }
}
