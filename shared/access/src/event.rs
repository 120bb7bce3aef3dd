//! Records: what CloudTrail wrote about one call, taken out of whatever it was wrapped in.
//!
//! Nothing here is believed or judged. A field of an unexpected type counts as absent, since one odd field must not
//! hide a denial; a value that is no record at all is an error, since a lost denial must not look like none, and so is a
//! record whose error is no text.
//! Fields: <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html>

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use lenient::{elements, list, object, text};

mod bounds;
mod lenient;
pub mod skim;

/// One CloudTrail record, as far as Trailpass reads it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "the names are CloudTrail's own")]
pub struct Record {
    #[serde(rename = "eventID", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    #[serde(rename = "sharedEventID", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub shared_event_id: Option<String>,
    #[serde(rename = "requestID", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub event_version: Option<String>,
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub event_time: Option<String>,
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub event_source: Option<String>,
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub event_name: Option<String>,
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub aws_region: Option<String>,
    #[serde(rename = "sourceIPAddress", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub source_ip_address: Option<String>,
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    // Of another type, these two make the record unreadable: taken for absent, a refusal would pass for a success.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub recipient_account_id: Option<String>,
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub vpc_endpoint_id: Option<String>,
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub vpc_endpoint_account_id: Option<String>,
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub user_identity: Option<UserIdentity>,
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub request_parameters: Option<Map<String, Value>>,
    #[serde(deserialize_with = "list", skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<Resource>,

    // The members of the wrappings that records travel in. No record has members of these names, so one type reads both.
    /// A log file's or a Lambda event's `Records`, `Messages` of `sqs receive-message`, `Events` of `lookup-events`.
    #[serde(rename = "Records", alias = "Messages", alias = "Events", deserialize_with = "elements", skip_serializing)]
    many: Option<Vec<Record>>,
    /// EventBridge's `detail`, `Sns` of a Lambda event.
    #[serde(rename = "detail", alias = "Sns", skip_serializing)]
    inner: Option<Box<Record>>,
    /// JSON in a string: SQS's `body`, SNS's `Message`, `CloudTrailEvent` of `lookup-events`.
    #[serde(rename = "body", alias = "Body", alias = "Message", alias = "CloudTrailEvent", skip_serializing)]
    quoted: Option<String>,
}

/// Who called. <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html>
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "the names are CloudTrail's own")]
pub struct UserIdentity {
    #[serde(rename = "type", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub principal_id: Option<String>,
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub arn: Option<String>,
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub user_name: Option<String>,
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub invoked_by: Option<String>,
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub identity_provider: Option<String>,
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub session_context: Option<SessionContext>,
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<OnBehalfOf>,
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub in_scope_of: Option<InScopeOf>,
}

/// How a session came about.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "the names are CloudTrail's own")]
pub struct SessionContext {
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub session_issuer: Option<SessionIssuer>,
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub ec2_role_delivery: Option<String>,
}

/// The role or user that a session was made from; an empty object for a user with MFA.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "the names are CloudTrail's own")]
pub struct SessionIssuer {
    #[serde(rename = "type", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub principal_id: Option<String>,
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub arn: Option<String>,
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub user_name: Option<String>,
}

/// The Identity Center user behind a call.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "the names are CloudTrail's own")]
pub struct OnBehalfOf {
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub identity_store_arn: Option<String>,
}

/// The workload (a Lambda function, an ECS task) that the credentials were issued to.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "the names are CloudTrail's own")]
pub struct InScopeOf {
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub issuer_type: Option<String>,
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub credentials_issued_to: Option<String>,
}

/// A resource that the service named in the record.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the names are CloudTrail's own")]
pub struct Resource {
    #[serde(rename = "ARN", alias = "arn", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub arn: Option<String>,
    #[serde(rename = "accountId", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
}

/// Why something in the input is no record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotARecord {
    /// Not JSON; with serde's words on what and where.
    Json(String),
    /// JSON, but neither a record nor a wrapping of one.
    Form,
    /// A wrapping inside a wrapping inside … .
    TooDeep,
    /// Made to be large in memory: more values, or more records, than anything of AWS's holds.
    TooMany,
}

impl fmt::Display for NotARecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(why) => write!(f, "not JSON as CloudTrail writes it: {why}"),
            Self::Form => f.write_str(
                "neither a CloudTrail record nor an EventBridge event, log file, lookup-events output, SQS or SNS wrapping of one",
            ),
            Self::TooDeep => write!(f, "wrapped more than {DEEPEST} times"),
            Self::TooMany => write!(
                f,
                "more than {MOST_VALUES} values or {MOST_RECORDS} records in one, as nothing of AWS's has: not all of it is read"
            ),
        }
    }
}

impl std::error::Error for NotARecord {}

/// How many wrappings may lie around a record: SQS around SNS around EventBridge is three.
const DEEPEST: usize = 4;
/// Values in one JSON text. Each may take a thousand bytes, so that without a limit some kilobytes of gzip take all memory
/// there is. A record of the largest size that CloudTrail writes has a tenth of these.
const MOST_VALUES: usize = 1 << 17;
/// Records in one JSON text, with those in the strings in it.
const MOST_RECORDS: usize = 1 << 15;

/// Reads one JSON text: a record, or any wrapping that records travel in. One result for each thing found.
pub fn read(json: &str) -> Vec<Result<Record, NotARecord>> {
    let mut found = Vec::with_capacity(1);
    read_into(json, 0, &mut found);
    found
}

/// Whether this JSON text was made to be large in memory. To be asked before it is parsed.
pub fn is_too_much(json: &str) -> bool {
    // In strings, too: what is quoted there is parsed next. Each value takes a byte of its own at least.
    json.len() > MOST_VALUES && json.bytes().filter(|byte| matches!(byte, b',' | b'{' | b'[')).count() > MOST_VALUES
}

/// Takes the records out of a value that is parsed already.
pub fn unwrap(outer: Record) -> Vec<Result<Record, NotARecord>> {
    let mut found = Vec::with_capacity(1);
    unwrap_into(outer, 0, &mut found);
    found
}

fn read_into(json: &str, depth: usize, found: &mut Vec<Result<Record, NotARecord>>) {
    if is_too_much(json) {
        return found.push(Err(NotARecord::TooMany));
    }
    match serde_json::from_str::<Record>(json) {
        Ok(outer) => unwrap_into(outer, depth, found),
        Err(e) => found.push(Err(NotARecord::Json(e.to_string()))),
    }
}

fn unwrap_into(mut outer: Record, depth: usize, found: &mut Vec<Result<Record, NotARecord>>) {
    if found.len() >= MOST_RECORDS {
        if found.len() == MOST_RECORDS {
            found.push(Err(NotARecord::TooMany));
        }
    } else if depth > DEEPEST {
        found.push(Err(NotARecord::TooDeep));
    } else if let Some(inner) = outer.inner.take() {
        unwrap_into(*inner, depth + 1, found);
    } else if let Some(many) = outer.many.take() {
        many.into_iter().for_each(|one| unwrap_into(one, depth + 1, found));
    } else if let Some(quoted) = outer.quoted.take() {
        read_into(&quoted, depth + 1, found);
    } else if outer.is_record() {
        found.push(Ok(outer));
    } else {
        found.push(Err(NotARecord::Form));
    }
}

impl Record {
    /// When it was, in seconds since 1970.
    pub fn seconds(&self) -> Option<i64> {
        self.event_time.as_deref()?.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second)
    }

    /// Whether anything says that CloudTrail wrote this. Records without `userIdentity`, or with one of no type, exist.
    fn is_record(&self) -> bool {
        self.event_version.is_some()
            || self.event_source.is_some()
            || self.event_name.is_some()
            || self.error_code.is_some()
            || self.user_identity.is_some()
    }

    /// All that a bare sentence gives.
    pub fn of_message(message: &str) -> Self {
        Self { error_message: Some(message.to_owned()), ..Self::default() }
    }

    /// Whether CloudTrail itself was called.
    pub fn is_of_cloudtrail(&self) -> bool {
        matches!(self.event_source.as_deref(), Some("cloudtrail.amazonaws.com" | "cloudtrail-data.amazonaws.com"))
    }

    /// A string among the request's parameters, if it is there and not empty.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.request_parameters.as_ref()?.get(name)?.as_str().filter(|s| !s.is_empty())
    }

    /// The one text in a list of the request's parameters; several name no one thing.
    pub fn only_parameter(&self, name: &str) -> Option<&str> {
        match self.request_parameters.as_ref()?.get(name)?.as_array()?.as_slice() {
            [one] => one.as_str(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str = r#"{"eventVersion":"1.11","eventName":"GetTrail","errorCode":"AccessDenied","userIdentity":{"type":"IAMUser"}}"#;

    fn names(json: &str) -> Vec<Option<String>> {
        read(json).into_iter().map(|r| r.ok().and_then(|r| r.event_name)).collect()
    }

    #[test]
    fn every_wrapping_is_taken_off() {
        let quoted = serde_json::to_string(RECORD).unwrap();
        let event =
            format!(r#"{{"version":"0","id":"x","detail-type":"AWS API Call via CloudTrail","detail":{RECORD}}}"#);
        let quoted_event = serde_json::to_string(&event).unwrap();
        let sns = format!(r#"{{"Type":"Notification","Message":{quoted_event}}}"#);
        let quoted_sns = serde_json::to_string(&sns).unwrap();
        for (form, json) in [
            ("record", RECORD.to_owned()),
            ("EventBridge", event),
            ("log file", format!(r#"{{"Records":[{RECORD}]}}"#)),
            (
                "lookup-events",
                format!(r#"{{"Events":[{{"EventId":"x","EventName":"GetTrail","CloudTrailEvent":{quoted}}}]}}"#),
            ),
            ("SQS, Lambda", format!(r#"{{"Records":[{{"messageId":"m","body":{quoted_event},"attributes":{{}}}}]}}"#)),
            ("SQS, CLI", format!(r#"{{"Messages":[{{"MessageId":"m","Body":{quoted_event}}}]}}"#)),
            ("SNS", sns),
            (
                "SNS, Lambda",
                format!(r#"{{"Records":[{{"EventSource":"aws:sns","Sns":{{"Message":{quoted_event}}}}}]}}"#),
            ),
            ("SNS in SQS", format!(r#"{{"Records":[{{"body":{quoted_sns}}}]}}"#)),
        ] {
            assert_eq!(names(&json), [Some("GetTrail".to_owned())], "{form}");
        }
    }

    #[test]
    fn one_bad_element_does_not_hide_the_others() {
        let found = read(&format!(r#"{{"Records":[7,{RECORD},{{}},{RECORD}]}}"#));
        assert_eq!(found.iter().map(Result::is_ok).collect::<Vec<_>>(), [false, true, false, true]);
        assert!(read("{\"Records\":[]}").is_empty());
    }

    #[test]
    fn what_is_no_record_is_an_error() {
        for json in ["", "7", "[]", "{}", "null", "\"text\"", "{\"Type\":\"x\"}", "{\"eventName\":", "{\"detail\":7}"] {
            assert!(matches!(read(json).as_slice(), [Err(_)]), "{json}");
        }
        let mut deep = RECORD.to_owned();
        for _ in 0..6 {
            deep = format!(r#"{{"detail":{deep}}}"#);
        }
        assert_eq!(read(&deep), [Err(NotARecord::TooDeep)]);
    }

    #[test]
    fn what_was_made_to_be_large_is_an_error_and_costs_only_itself() {
        let list = |element: &str, count| format!(r#"{{"Records":[{}]}}"#, vec![element; count].join(","));
        for json in [
            list("{}", MOST_VALUES),
            list("7", MOST_VALUES),
            format!(r#"{{"eventName":"x","requestParameters":{}}}"#, list("{}", MOST_VALUES)),
            format!(r#"{{"body":{}}}"#, serde_json::to_string(&list("7", MOST_VALUES)).unwrap()),
        ] {
            assert_eq!(read(&json), [Err(NotARecord::TooMany)]);
        }
        let body = format!(r#"{{"body":{}}}"#, serde_json::to_string(&list(r#"{"eventName":"x"}"#, 10_000)).unwrap());
        let found = read(&list(&body, 5));
        assert_eq!((found.len(), found.last()), (MOST_RECORDS + 1, Some(&Err(NotARecord::TooMany))));
        assert_eq!(found.iter().filter(|one| one.is_ok()).count(), MOST_RECORDS);
    }

    #[test]
    fn a_field_of_another_type_is_absent() {
        let record = r#"{"eventName":7,"errorCode":null,"errorMessage":null,"awsRegion":null,"userIdentity":"root",
            "requestParameters":[1],"resources":[1,{"ARN":"a"}],"eventSource":"s3.amazonaws.com","readOnly":true}"#;
        let found = read(record).remove(0).unwrap();
        assert_eq!(
            found,
            Record {
                event_source: Some("s3.amazonaws.com".into()),
                resources: vec![Resource { arn: Some("a".into()), account_id: None }],
                ..Record::default()
            }
        );
    }

    #[test]
    fn an_error_of_another_type_is_no_success() {
        for name in ["errorCode", "errorMessage"] {
            for value in ["5", "true", "[]", "[\"AccessDenied\"]", "{}"] {
                let record = RECORD.replacen('{', &format!(r#"{{"{name}":{value},"#), 1);
                let record = record.replace(r#","errorCode":"AccessDenied""#, "");
                for json in
                    [record.clone(), format!(r#"{{"detail":{record}}}"#), format!(r#"{{"Records":[{record}]}}"#)]
                {
                    assert!(matches!(read(&json).as_slice(), [Err(NotARecord::Json(_))]), "{json}");
                }
            }
        }
    }

    #[test]
    fn what_is_kept_reads_back() {
        let found = read(RECORD).remove(0).unwrap();
        let kept = serde_json::to_string(&found).unwrap();
        assert_eq!(read(&kept).remove(0).unwrap(), found);
    }
}
