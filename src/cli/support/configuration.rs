//! The configuration as it may be shown, and what `flashline check` finds on this PC.

use std::time::Duration;

use serde_json::{Value, json};

use super::context::{Context, Made, SOON, why};
use crate::config::ConfigError;

/// How long `flashline check` may take with the images: a staged image is read once, one that is not staged is unpacked.
const CHECK: Duration = Duration::from_secs(150);

pub(super) fn configuration(context: &Context) -> Made {
    let name = context.path(&context.config);
    match &context.shared {
        Ok(shared) => {
            let head =
                format!("# {name}, with the numbers of its lines. Remarks and everything that is not known to be harmless are left out.\n");
            Made { contents: context.disguise.text(&(head + &shared.lines.join("\n") + "\n")), unread: Vec::new() }
        }
        Err(error) => Made { contents: format!("# {name} could not be read\n"), unread: vec![why("the configuration", error)] },
    }
}

pub(super) fn check(context: &Context) -> Made {
    match &context.settings {
        None => Made::json(&json!({"checked": false}), vec!["no configuration: nothing was checked".to_owned()]),
        Some(Err(error)) => Made::json(&json!({"checked": false, "mistakes": mistakes(context, error)}), Vec::new()),
        Some(Ok(_)) => findings(context),
    }
}

/// The mistakes in the configuration: their lines, and the program's own words for each.
fn mistakes(context: &Context, error: &ConfigError) -> Vec<Value> {
    match error {
        ConfigError::Several { all } => all.iter().flat_map(|error| mistakes(context, error)).collect(),
        ConfigError::Wrong { line, problem, .. } => vec![json!({"line": line, "problem": context.own(problem)})],
        other => vec![json!({"line": null, "problem": context.error(other)})],
    }
}

fn findings(context: &Context) -> Made {
    let config = context.config.display().to_string();
    let ask = |options: &[&str], limit| {
        let arguments = [&["check", "--json", "--config", &config][..], options].concat();
        (context.source.run)("/proc/self/exe", &arguments, limit)
    };
    let mut unread = Vec::new();
    let answer = ask(&[], CHECK).or_else(|error| {
        unread.push(why("the check of images, of the log and of other programs", &error));
        ask(&["--without-images"], SOON)
    });
    let said = match answer {
        Ok(answer) => serde_json::from_str::<Value>(&answer.said).unwrap_or_default(),
        Err(error) => {
            unread.push(why("the check", &error));
            Value::Null
        }
    };
    let words = |value: &Value| value.as_str().map(|text| context.own(text));
    let found = |finding: &Value| {
        let details: Vec<String> = finding["details"].as_array().into_iter().flatten().filter_map(words).collect();
        json!({
            "subject": words(&finding["subject"]), "mark": words(&finding["mark"]), "what": words(&finding["what"]), "details": details,
            "cure": words(&finding["cure"]),
        })
    };
    let Some(all) = said["findings"].as_array() else {
        unread.push("the check said nothing that can be read".to_owned());
        return Made::json(&json!({"checked": false}), unread);
    };
    Made::json(&json!({"checked": true, "verdict": words(&said["verdict"]), "findings": all.iter().map(found).collect::<Vec<_>>()}), unread)
}
