//! What a call of CloudTrail's asked for beyond its resource: where a log would go, who could read it, for how long it is kept.
//!
//! A policy can't tell one bucket from another: whoever may make a trail may send it anywhere. So it is shown to whoever judges the
//! call, in the caller's own words, and decides nothing.

use serde_json::Value;

use crate::event::Record;

/// Where the request says it, and what it is called in a notice.
/// <https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_CreateTrail.html>
const SETTINGS: [(&str, &str); 15] = [
    ("s3BucketName", "bucket"),
    ("s3KeyPrefix", "prefix"),
    ("snsTopicName", "topic"),
    ("kmsKeyId", "key"),
    ("cloudWatchLogsLogGroupArn", "log group"),
    ("cloudWatchLogsRoleArn", "role for CloudWatch Logs"),
    ("isOrganizationTrail", "organization trail"),
    ("isMultiRegionTrail", "every Region"),
    ("multiRegionEnabled", "every Region"),
    ("includeGlobalServiceEvents", "global services"),
    ("enableLogFileValidation", "validation of files"),
    ("retentionPeriod", "retention in days"),
    ("terminationProtectionEnabled", "protection from deletion"),
    ("importSource.s3.s3LocationUri", "files from"),
    ("deliveryS3Uri", "results to"),
];

/// A setting by its name, and its value as the caller wrote it.
pub type Setting = (&'static str, String);

/// The settings in a request; none in one of another service.
pub fn settings(record: &Record) -> Vec<Setting> {
    let Some(request) = record.request_parameters.as_ref().filter(|_| record.is_of_cloudtrail()) else {
        return Vec::new();
    };
    let written = |value: &Value| match value {
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Value::Bool(yes) => Some(if *yes { "yes" } else { "no" }.to_owned()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let value_at = |path: &str| {
        let mut members = path.split('.');
        let first = request.get(members.next()?)?;
        members.try_fold(first, |value, member| value.get(member))
    };
    SETTINGS.iter().filter_map(|(path, name)| Some((*name, written(value_at(path)?)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings_of(source: &str, request: Value) -> Vec<Setting> {
        let record =
            serde_json::json!({ "eventSource": source, "eventName": "CreateTrail", "requestParameters": request });
        settings(&serde_json::from_value(record).unwrap())
    }

    #[test]
    fn what_a_trail_would_do_is_said_as_it_was_asked() {
        let request = serde_json::json!({
            "name": "t", "s3BucketName": "elsewhere", "isOrganizationTrail": true, "enableLogFileValidation": false,
            "kmsKeyId": "", "snsTopicName": { "not": "text" }, "retentionPeriod": 7,
            "importSource": { "s3": { "s3LocationUri": "s3://b/p" } },
        });
        let expected = [
            ("bucket", "elsewhere"),
            ("organization trail", "yes"),
            ("validation of files", "no"),
            ("retention in days", "7"),
            ("files from", "s3://b/p"),
        ];
        let said = settings_of("cloudtrail.amazonaws.com", request.clone());
        assert_eq!(said.iter().map(|(name, value)| (*name, value.as_str())).collect::<Vec<_>>(), expected);
        assert!(settings_of("s3.amazonaws.com", request).is_empty());
        assert!(settings_of("cloudtrail.amazonaws.com", Value::Null).is_empty());
    }
}
