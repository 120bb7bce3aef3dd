//! Amazon Q Developer's custom notification: what a topic says on `https` where it feeds a chat channel.
//!
//! Only this schema is shown there. Its markdown is the chat client's own, so callers' values stand in code spans, escaped
//! as for Slack. There is nothing to click that changes anything.
//! <https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html>

use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::{Notice, escape, facts, words};
use crate::{
    diagnosis::Response,
    notice::{advice, escape::shown, policy},
};

/// The notification. Without a case there is no thread: an empty id would thread strangers together.
pub(super) fn notification(notice: &Notice<'_>) -> Value {
    let diagnosis = notice.diagnosis;
    let is_alarm = diagnosis.response == Response::RaiseAlarm;
    let sign = if is_alarm { "🚨 ALARM:" } else { advice::badge(diagnosis) };
    let mut title = format!("{sign} ");
    escape::push_slack(&mut title, &facts::headline(diagnosis), 200);

    let mut description = String::with_capacity(1_024);
    for (label, text) in [
        ("Who", facts::who(diagnosis)),
        ("From", facts::client(notice)),
        ("On", facts::fact(diagnosis.resource.as_deref(), escape::ARN).to_string()),
        ("Asked for", facts::settings(notice).unwrap_or_default()),
        ("Where", format!("{}, account {}", fact(&diagnosis.region), fact(&diagnosis.account_id))),
        ("When", diagnosis.event_time.as_deref().map_or_else(|| words::ABSENT.to_owned(), escape::time)),
        ("Why", facts::why(notice)),
        ("Looked up", facts::evidence(notice).join(" ")),
        ("Now", advice::what_happens(diagnosis, notice.case.is_some()).to_owned()),
    ] {
        if text.is_empty() {
            continue;
        }
        let _ = write!(description, "*{label}:* ");
        escape::prose(&mut description, &text, 500);
        description.push('\n');
    }
    if let Some(document) = diagnosis.remedies.first().filter(|_| !is_alarm).and_then(|best| best.policy.as_ref()) {
        let mut json = String::new();
        policy::write(&mut json, document, "");
        let mut block = String::new();
        escape::push_slack(&mut block, &json, usize::MAX);
        // A policy that is not whole is worse than none: somebody would paste it.
        if block.len() <= 2_500 {
            let _ = write!(description, "```\n{block}\n```");
        }
    }
    let mut value = json!({
        "version": "1.0",
        "source": "custom",
        "content": {
            "textType": "client-markdown",
            "title": title,
            "description": description.trim_end(),
            "nextSteps": next_steps(notice),
            "keywords": [advice::badge(diagnosis), diagnosis.rule.id(), "CloudTrail"],
        },
        "metadata": {
            "summary": shown(&diagnosis.summary, 300).to_string(),
            "eventType": format!("trailpass.{}", words::response(diagnosis.response)),
            "additionalContext": context(notice),
        },
    });
    let metadata = value.get_mut("metadata").and_then(Value::as_object_mut);
    if let Some(metadata) = metadata {
        if let Some(case) = notice.case.as_ref().filter(|case| !case.id.is_empty()) {
            metadata.insert("threadId".to_owned(), Value::String(shown(case.id, escape::SHORT).to_string()));
        }
        if let Some(arn) = diagnosis.resource.as_deref().filter(|resource| resource.starts_with("arn:")) {
            metadata.insert("relatedResources".to_owned(), json!([shown(arn, escape::ARN).to_string()]));
        }
    }
    if let (Some(id), Some(members)) = (&diagnosis.event_id, value.as_object_mut()) {
        members.insert("id".to_owned(), Value::String(shown(id, escape::SHORT).to_string()));
    }
    value
}

fn fact(value: &Option<String>) -> escape::Shown<'_> {
    facts::fact(value.as_deref(), escape::SHORT)
}

fn next_steps(notice: &Notice<'_>) -> Vec<String> {
    let diagnosis = notice.diagnosis;
    let steps: Vec<String> = match diagnosis.response {
        Response::RaiseAlarm => advice::checks(diagnosis),
        _ => {
            let fixes = diagnosis.remedies.iter().take(4);
            fixes.map(|remedy| format!("{}. {}", advice::order(remedy), advice::reach_and_risk(remedy))).collect()
        }
    };
    let mut steps: Vec<String> = steps
        .iter()
        .map(|step| {
            let mut line = String::with_capacity(step.len() + 8);
            escape::prose(&mut line, step, 400);
            line
        })
        .collect();
    steps.push(format!("Read <{}|AWS's documentation>", diagnosis.documentation));
    if let Some(url) = notice.case.as_ref().and_then(|case| case.page_url).and_then(escape::web_url) {
        let mut line = String::from("Look at <");
        escape::push_slack(&mut line, url, 2_400);
        line.push_str("|the case>");
        steps.push(line);
    }
    steps
}

fn context(notice: &Notice<'_>) -> Value {
    let diagnosis = notice.diagnosis;
    let mut context = Map::new();
    let mut put = |name: &str, value: &Option<String>| {
        if let Some(value) = value {
            context.insert(name.to_owned(), Value::String(shown(value, escape::NAME).to_string()));
        }
    };
    put("account", &diagnosis.account_id);
    put("region", &diagnosis.region);
    put("action", &diagnosis.action);
    put("eventTime", &diagnosis.event_time);
    context.insert("rule".to_owned(), Value::String(diagnosis.rule.id().to_owned()));
    if let Some(case) = &notice.case {
        context.insert("denials".to_owned(), Value::String(case.count.to_string()));
    }
    Value::Object(context)
}
