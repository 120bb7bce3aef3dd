//! What the fuzz targets do with their bytes. The property tests run the same bodies, so that they can't rot.

use access::{
    diagnose::{Diagnosed, Setting, diagnose, diagnose_sentence},
    grant::GrantMode,
    message,
};
use serde_json::Value;

use crate::{events, judge, origin, ways};

/// Any text as AWS's sentence: read it, and diagnose it as somebody pasted it.
pub fn sentence(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Some(sentence) = message::parse(&text) {
        assert!(sentence.action.contains(':'), "an action without a service: {sentence:?}");
    }
    let setting = Setting { mode: GrantMode::Exact, ..Setting::default() };
    let Some(diagnosed) = diagnose_sentence(&text, &setting) else { return };
    let value = check(&text, &diagnosed);
    assert_ne!(value["response"], "request-approval", "no record stands behind a pasted sentence");
    for field in ["event_id", "event_time", "region", "account_id"] {
        assert!(value[field].is_null(), "{field} of a pasted sentence");
    }
}

/// Any text as an event: take the records out, and diagnose each as every kind of stack does.
pub fn record(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for record in events::records(&text).into_iter().flatten() {
        for mode in [GrantMode::None, GrantMode::Managed, GrantMode::Exact] {
            let setting = Setting { mode, ..Setting::default() };
            let diagnosed = diagnose(record.clone(), &setting, false);
            assert_eq!(diagnosed, diagnose(record.clone(), &setting, false), "said twice, said differently");
            let value = check(&text, &diagnosed);
            assert!(
                mode != GrantMode::None || value["response"] != "request-approval",
                "a grant in the mode that gives none"
            );
        }
    }
}

/// Whatever was read, this holds for what is said.
fn check(input: &str, diagnosed: &Diagnosed) -> Value {
    let value = serde_json::to_value(&diagnosed.diagnosis).expect("a diagnosis is JSON");
    let complaints = judge::complaints(&value);
    assert!(complaints.is_empty(), "{complaints:#?}\n{value:#}");
    let invented = origin::invented(input, &value);
    assert!(invented.is_empty(), "not from the input: {invented:#?}\n{value:#}");
    let complaints = ways::complaints(&events::notice(diagnosed, &diagnosed.call(), GrantMode::Exact));
    assert!(complaints.is_empty(), "{complaints:#?}\n{value:#}");
    value
}
