//! Every form that an input may have, told apart by content.

use serde_json::{Value, json};

use super::*;

fn event(record: &Value) -> Value {
    json!({
        "version": "0", "id": "7bf73129", "detail-type": "AWS API Call via CloudTrail", "source": "aws.cloudtrail",
        "account": "111122223333", "time": "2026-10-05T08:00:02Z", "region": "eu-west-1", "resources": [], "detail": record,
    })
}

/// A name, the input, and the events that are in it.
pub fn forms() -> Vec<(&'static str, Vec<u8>, Vec<&'static str>)> {
    let (one, two) = (denied(1), denied(2));
    let sns = json!({ "Type": "Notification", "TopicArn": "arn:aws:sns:eu-west-1:111122223333:t", "Message": event(&one).to_string() });
    let lines = |of: &dyn Fn(&Value) -> Value| format!("{}\n{}\n", of(&one), of(&two));
    let text = |value: Value| value.to_string();
    let pretty = |value: &Value| serde_json::to_string_pretty(value).unwrap();
    let both = vec!["e-1", "e-2"];
    let log = json!({ "Records": [one, two] });
    let lookup = |record: &Value| json!({ "EventId": "x", "EventName": "GetTrailStatus", "Username": "m", "CloudTrailEvent": record.to_string() });
    let forms = vec![
        ("record", text(one.clone()), vec!["e-1"]),
        ("record, over lines", pretty(&one), vec!["e-1"]),
        ("record behind a byte order mark", format!("\u{feff}{one}"), vec!["e-1"]),
        ("EventBridge event", text(event(&one)), vec!["e-1"]),
        ("log file", text(log.clone()), both.clone()),
        ("log file, over lines", pretty(&log), both.clone()),
        (
            "log file with members around its records",
            format!(r#"{{"a":{{"Records":1}},"Records":[{one},{two}],"b":[]}}"#),
            both.clone(),
        ),
        ("two log files", format!("{log}{}", json!({ "Records": [denied(3)] })), vec!["e-1", "e-2", "e-3"]),
        ("lines of records", lines(&Value::clone), both.clone()),
        ("lines of events, with Windows line ends", lines(&event).replace('\n', "\r\n"), both.clone()),
        ("values with nothing between them", format!("{one}{two}"), both.clone()),
        ("values with commas between them", format!("{one},\n{two},\n"), both.clone()),
        ("records over lines, one after the other", format!("{}\n{}", pretty(&one), pretty(&two)), both.clone()),
        ("list", text(json!([one, two])), both.clone()),
        ("list of strings", text(json!([text(one.clone()), text(two.clone())])), both.clone()),
        ("lines of strings", lines(&|record| Value::String(record.to_string())), both.clone()),
        ("lookup-events", pretty(&json!({ "NextToken": "n", "Events": [lookup(&one), lookup(&two)] })), both.clone()),
        ("lookup-events as text", format!("{one}\t{two}\n"), both.clone()),
        (
            "SQS, as a function gets it",
            text(json!({ "Records": [{ "messageId": "m", "body": text(event(&one)), "attributes": {} }] })),
            vec!["e-1"],
        ),
        (
            "SQS, as the AWS CLI prints it",
            pretty(&json!({ "Messages": [{ "MessageId": "m", "Body": text(event(&one)) }] })),
            vec!["e-1"],
        ),
        ("SNS", text(sns.clone()), vec!["e-1"]),
        (
            "SNS, as a function gets it",
            text(json!({ "Records": [{ "EventSource": "aws:sns", "Sns": sns }] })),
            vec!["e-1"],
        ),
        ("SNS in SQS", text(json!({ "Records": [{ "messageId": "m", "body": text(sns.clone()) }] })), vec!["e-1"]),
    ];
    forms.into_iter().map(|(name, text, ids)| (name, text.into_bytes(), ids)).collect()
}

#[test]
fn every_form_from_standard_input() {
    for (name, input, ids) in forms() {
        let ran = explain_json(&input);
        assert_eq!(
            (ran.event_ids(), ran.said.as_str(), ran.status),
            (ids.into_iter().map(Value::from).collect(), "", Some(0)),
            "{name}"
        );
        assert!(ran.members("action").iter().all(|action| action == "cloudtrail:GetTrailStatus"), "{name}");
    }
}

#[test]
fn every_form_packed_and_under_a_name_that_lies() {
    let folder = Folder::new("packed");
    for (name, input, ids) in forms() {
        let path = folder.file("records.txt", gzip(&input));
        let ran = explain(&["--format", "json", &path], "");
        assert_eq!(
            (ran.event_ids(), ran.said.as_str(), ran.status),
            (ids.into_iter().map(Value::from).collect(), "", Some(0)),
            "{name}"
        );
    }
}

#[test]
fn gzip_of_several_members() {
    let halves = denied(2).to_string();
    let (front, back) = halves.split_at(200);
    let packed =
        [gzip(json!({ "Records": [denied(1)] }).to_string()), gzip(front), gzip(""), gzip(back), vec![0; 512]].concat();
    let ran = explain_json(packed);
    assert_eq!((ran.event_ids(), ran.said.as_str(), ran.status), (vec!["e-1".into(), "e-2".into()], "", Some(0)));
}

#[test]
fn files_and_standard_input_in_their_order() {
    let folder = Folder::new("order");
    let (first, last) =
        (folder.file("1.json", denied(1).to_string()), folder.file("3.json.gz", gzip(denied(3).to_string())));
    let ran = explain(&["--format", "json", &first, "-", &last], denied(2).to_string());
    assert_eq!((ran.event_ids(), ran.status), (vec!["e-1".into(), "e-2".into(), "e-3".into()], Some(0)));
}

#[test]
fn a_sentence_however_it_was_printed() {
    let wrapped = SENTENCE.replace(' ', "\n      ");
    let java = "(Service: AWSCloudTrail; Status Code: 400; Error Code: AccessDeniedException; Request ID: 243ce08d-2b3e-4cd1-baf4-869de3ef247e)";
    for (name, text) in [
        ("alone", SENTENCE.to_owned()),
        (
            "AWS CLI",
            format!(
                "\nAn error occurred (AccessDeniedException) when calling the GetTrailStatus operation: {SENTENCE}\n"
            ),
        ),
        ("over lines", wrapped),
        ("JSON string", json!(SENTENCE).to_string()),
        (
            "Terraform",
            format!(
                "╷\n│ Error: api error AccessDeniedException: {SENTENCE}\n│ \n│   with aws_cloudtrail.x,\n│   on main.tf line 1:\n╵\n"
            ),
        ),
        (
            "Java",
            format!("x.AWSCloudTrailException: {SENTENCE} {java}\n\tat com.amazonaws.Client.call(Client.java:12)\n"),
        ),
        (
            "Python",
            format!(
                "Traceback (most recent call last):\n  File \"x.py\", line 1\nbotocore.exceptions.ClientError: An error occurred (AccessDeniedException) when calling the GetTrailStatus operation: {SENTENCE}\n"
            ),
        ),
        ("behind a time in brackets", format!("[2026-10-05 08:00:01] ERROR {SENTENCE}")),
        ("Node", format!("{{ AccessDeniedException: {SENTENCE}\n    at throwDefaultError (/x/y.js:1:2)\n")),
    ] {
        let ran = explain_json(&text);
        assert_eq!((ran.status, ran.said.as_str()), (Some(0), ""), "{name}");
        assert_eq!(ran.members("action"), ["cloudtrail:GetTrailStatus"], "{name}");
        assert_eq!(ran.members("resource"), ["arn:aws:cloudtrail:eu-west-1:111122223333:trail/My-Trail"], "{name}");
        assert_eq!(ran.members("cause")[0]["policy_type"], "identity-based-policy", "{name}");
        // No record stands behind it.
        assert_eq!(ran.members("response"), ["suggest-fix"], "{name}");
    }
}

#[test]
fn sentences_and_records_in_one_input() {
    let ran =
        explain_json(format!("{SENTENCE}\n{}\n{}\n\n{}\n", SENTENCE.replace("My-", "Your-"), denied(1), SENTENCE));
    let trails: Vec<_> = ran
        .members("resource")
        .iter()
        .map(|arn| arn.as_str().unwrap().rsplit('/').next().unwrap().to_owned())
        .collect();
    assert_eq!(trails, ["My-Trail", "Your-Trail", "My-Trail", "My-Trail"]);
    assert_eq!(ran.event_ids(), [Value::Null, Value::Null, "e-1".into(), Value::Null]);
}

#[test]
fn an_exception_that_is_worded_differently() {
    let ran =
        explain_json("A client error (AccessDeniedException) occurred when calling the StopLogging operation: Unknown");
    assert_eq!(
        (ran.members("action"), ran.members("response"), ran.status),
        (vec!["cloudtrail:StopLogging".into()], vec!["raise-alarm".into()], Some(0))
    );
}
