//! Whether a record is that of a call that succeeded, told without keeping it.
//!
//! Nearly every record in a log file is. It is read by the same parser as [`Record`](super::Record), and more strictly: whatever could
//! make a record unreadable, or another thing than it seems, makes it unskimmable, and then it has to be read whole.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

/// A record at the beginning of a text.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Skimmed<'a> {
    /// How long it is. Bytes.
    pub length: usize,
    /// It is the record of a call that succeeded. Otherwise it has to be read whole, from a text of this length.
    pub is_success: bool,
    /// `eventTime`.
    pub time: Option<Cow<'a, str>>,
    /// `recipientAccountId`.
    pub account: Option<Cow<'a, str>>,
    /// `awsRegion`.
    pub region: Option<Cow<'a, str>>,
}

/// Skims the JSON object that a text begins with. `None` where it begins with none, or with one that is better read with care.
pub fn skim(text: &str) -> Option<Skimmed<'_>> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Skimmed<'_>>();
    let mut skimmed = values.next()?.ok()?;
    skimmed.length = values.byte_offset();
    skimmed.is_success &= skimmed.length < super::MOST_VALUES;
    Some(skimmed)
}

/// What is done with a field of [`Record`](super::Record).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    /// Not one of its fields.
    Unknown,
    /// Present, it makes this no success, or no record.
    Telling,
    Version,
    Time,
    Account,
    Region,
    /// A text, or whatever stands in its place.
    Text(u8),
    /// Holds named fields of its own.
    Fields(u8),
}

impl Field {
    fn of(name: &str) -> Self {
        match name {
            "errorCode" | "errorMessage" | "Records" | "Messages" | "Events" | "detail" | "Sns" | "body" | "Body"
            | "Message" | "CloudTrailEvent" => Self::Telling,
            "eventVersion" => Self::Version,
            "eventTime" => Self::Time,
            "recipientAccountId" => Self::Account,
            "awsRegion" => Self::Region,
            "eventID" => Self::Text(4),
            "sharedEventID" => Self::Text(5),
            "requestID" => Self::Text(6),
            "eventSource" => Self::Text(7),
            "eventName" => Self::Text(8),
            "sourceIPAddress" => Self::Text(9),
            "userAgent" => Self::Text(10),
            "vpcEndpointId" => Self::Text(11),
            "vpcEndpointAccountId" => Self::Text(12),
            "requestParameters" => Self::Text(13),
            "userIdentity" => Self::Fields(14),
            "resources" => Self::Fields(15),
            _ => Self::Unknown,
        }
    }

    /// Named twice, a field is an error to the parser.
    fn bit(self) -> u32 {
        match self {
            Self::Unknown | Self::Telling => 0,
            Self::Version => 1,
            Self::Time => 1 << 1,
            Self::Account => 1 << 2,
            Self::Region => 1 << 3,
            Self::Text(at) | Self::Fields(at) => 1 << at,
        }
    }
}

/// The fields inside of `userIdentity` and `resources`, wherever: two names of one field are one.
fn inner_bit(name: &str) -> u32 {
    match name {
        "type" => 1,
        "principalId" => 1 << 1,
        "arn" | "ARN" => 1 << 2,
        "accountId" => 1 << 3,
        "userName" => 1 << 4,
        "invokedBy" => 1 << 5,
        "identityProvider" => 1 << 6,
        "sessionContext" => 1 << 7,
        "onBehalfOf" => 1 << 8,
        "inScopeOf" => 1 << 9,
        "sessionIssuer" => 1 << 10,
        "ec2RoleDelivery" => 1 << 11,
        "userId" => 1 << 12,
        "identityStoreArn" => 1 << 13,
        "issuerType" => 1 << 14,
        "credentialsIssuedTo" => 1 << 15,
        _ => 0,
    }
}

impl<'de> Deserialize<'de> for Skimmed<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OfRecord)
    }
}

struct OfRecord;

impl<'de> Visitor<'de> for OfRecord {
    type Value = Skimmed<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut skimmed, mut seen, mut is_telling, mut has_version) = (Skimmed::default(), 0, false, false);
        while let Some(field) = map.next_key_seed(Named(Field::of))? {
            twice(&mut seen, field.bit())?;
            match field {
                Field::Unknown => drop(map.next_value::<IgnoredAny>()?),
                Field::Telling => {
                    is_telling = true;
                    map.next_value::<IgnoredAny>()?;
                }
                Field::Version => has_version = map.next_value_seed(OfValue { has_fields: false })?.is_some(),
                Field::Time => skimmed.time = map.next_value_seed(OfValue { has_fields: false })?,
                Field::Account => skimmed.account = map.next_value_seed(OfValue { has_fields: false })?,
                Field::Region => skimmed.region = map.next_value_seed(OfValue { has_fields: false })?,
                Field::Text(_) => drop(map.next_value_seed(OfValue { has_fields: false })?),
                Field::Fields(_) => drop(map.next_value_seed(OfValue { has_fields: true })?),
            }
        }
        skimmed.is_success = has_version && !is_telling;
        Ok(skimmed)
    }
}

fn twice<E: Error>(seen: &mut u32, bit: u32) -> Result<(), E> {
    if *seen & bit != 0 {
        return Err(E::custom("a field that is there twice"));
    }
    *seen |= bit;
    Ok(())
}

/// A name, as what it means.
struct Named<F>(F);

impl<'de, T, F: Fn(&str) -> T> DeserializeSeed<'de> for Named<F> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<T, F: Fn(&str) -> T> Visitor<'_> for Named<F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<T, E> {
        Ok((self.0)(name))
    }
}

/// Any value, each part of it parsed: the text, if it is one.
#[derive(Clone, Copy)]
struct OfValue {
    /// Whether fields of ours are in it.
    has_fields: bool,
}

impl<'de> DeserializeSeed<'de> for OfValue {
    type Value = Option<Cow<'de, str>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for OfValue {
    type Value = Option<Cow<'de, str>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }
    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Some(Cow::Borrowed(text)))
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(Cow::Owned(text.to_owned())))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut seen = 0;
        while let Some(bit) =
            map.next_key_seed(Named(|name: &str| if self.has_fields { inner_bit(name) } else { 0 }))?
        {
            twice(&mut seen, bit)?;
            map.next_value_seed(self)?;
        }
        Ok(None)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element_seed(self)?.is_some() {}
        Ok(None)
    }
    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_u64<E: Error>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str = r#"{"eventVersion":"1.11","eventTime":"2026-10-05T08:00:01Z","awsRegion":"eu-west-1","recipientAccountId":"111122223333",
        "userIdentity":{"type":"IAMUser","sessionContext":{"sessionIssuer":{}}},"requestParameters":{"a":[1.5,{"b":"\u00e9"}]},"resources":[{"ARN":"x"}]}"#;

    fn is_success(record: &str) -> Option<bool> {
        skim(record).map(|skimmed| skimmed.is_success)
    }

    #[test]
    fn a_success_is_told_with_what_is_filtered_by() {
        let text = format!("{RECORD},{{\"eventVersion\":");
        let skimmed = skim(&text).unwrap();
        assert_eq!((skimmed.length, skimmed.is_success), (RECORD.len(), true));
        assert_eq!(skimmed.time.as_deref(), Some("2026-10-05T08:00:01Z"));
        assert_eq!((skimmed.account.as_deref(), skimmed.region.as_deref()), (Some("111122223333"), Some("eu-west-1")));
    }

    #[test]
    fn whatever_else_it_could_be_is_read_whole() {
        let with = |field: &str| RECORD.replacen('{', &format!("{{{field},"), 1);
        for field in [
            r#""errorCode":"AccessDenied""#,
            r#""errorMessage":"no""#,
            r#""error\u0043ode":"AccessDenied""#,
            r#""errorCode":null"#,
            r#""Records":[]"#,
            r#""detail":{}"#,
            r#""Sns":{}"#,
            r#""body":"""#,
            r#""Message":"""#,
            r#""CloudTrailEvent":"""#,
        ] {
            assert_eq!(is_success(&with(field)), Some(false), "{field}");
        }
        assert_eq!(is_success(&RECORD.replace("eventVersion", "version")), Some(false));
        assert_eq!(is_success(&RECORD.replace("\"1.11\"", "1.11")), Some(false));
        assert_eq!(is_success(&with(&format!("\"x\":[{}1]", "1,".repeat(70_000)))), Some(false));
    }

    #[test]
    fn what_a_record_could_not_be_read_with_is_not_skimmed() {
        let with = |field: &str| RECORD.replacen('{', &format!("{{{field},"), 1);
        for text in [
            with(r#""eventTime":"2026""#),
            with(r#""userAgent":"\ud800""#),
            with(r#""eventName":1e999"#),
            with("\"x\":tru"),
            RECORD.replace("1.5", "1e999"),
            RECORD.replace("\\u00e9", "\\ud800"),
            RECORD.replace("\"type\"", "\"type\":1,\"type\""),
            RECORD.replace("{\"ARN\"", "{\"arn\":1,\"ARN\""),
            RECORD.replace("\"b\":", "\"b\""),
            "[1]".to_owned(),
            "text".to_owned(),
            String::new(),
        ] {
            assert_eq!(is_success(&text), None, "{text}");
        }
    }
}
