//! CloudTrail itself, asked in one Region: the management events of the last 90 days, newest first, as `LookupEvents` gives them.
//!
//! Needs `cloudtrail:LookupEvents`. AWS answers two requests a second for an account and Region; whoever asks keeps to that.
//! <https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html>

use aws_config::Region;
use aws_sdk_cloudtrail::{
    Client,
    operation::get_event_selectors::GetEventSelectorsOutput,
    types::{LookupAttribute, LookupAttributeKey, ReadWriteType},
};
use aws_smithy_types::DateTime;

use crate::http::{AwsError, sdk_config, sort_error};

/// CloudTrail of one Region.
#[derive(Debug, Clone)]
pub struct CloudTrail {
    client: Client,
}

/// A trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trail {
    /// Its ARN.
    pub arn: String,
    /// Whether it logs now.
    pub is_logging: bool,
    /// Whether management events that only read are among what it logs.
    pub sees_reads: bool,
}

/// An event of the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// CloudTrail's record, in JSON; empty, where the answer has none.
    pub record: String,
    /// Its `eventID`.
    pub id: String,
    /// Seconds since 1970.
    pub time: i64,
}

/// Some of its events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Events {
    /// Newest first.
    pub events: Vec<Event>,
    /// What asks for those before them, if there are any.
    pub next: Option<String>,
}

impl CloudTrail {
    /// That of a Region; without one, of the Region of the environment.
    pub async fn of(region: Option<&str>) -> Self {
        let config = sdk_config().await;
        let mut config = aws_sdk_cloudtrail::config::Builder::from(config);
        if let Some(region) = region {
            config.set_region(Some(Region::new(region.to_owned())));
        }
        Self { client: Client::from_conf(config.build()) }
    }

    /// Every trail that the Region knows, shadows of others' included, and what it logs.
    pub async fn trails(&self) -> Result<Vec<Trail>, AwsError> {
        let asked = self.client.describe_trails().include_shadow_trails(true).send().await;
        let found = asked.map_err(|error| sort_error(&error))?.trail_list.unwrap_or_default();
        let mut trails = Vec::new();
        for found in found {
            let arn = found.trail_arn.unwrap_or_default();
            let status = self.client.get_trail_status().name(&arn).send().await;
            let selectors = self.client.get_event_selectors().trail_name(&arn).send().await;
            let selectors = selectors.map_err(|error| sort_error(&error))?;
            trails.push(Trail {
                arn,
                is_logging: status.map_err(|error| sort_error(&error))?.is_logging.unwrap_or(false),
                sees_reads: sees_reads(&selectors),
            });
        }
        Ok(trails)
    }

    /// Whether trails may be listed: asked for that alone.
    pub async fn list_trails(&self) -> Result<(), AwsError> {
        self.client.list_trails().send().await.map(drop).map_err(|error| sort_error(&error))
    }

    /// The home Region of the trail of a name; `None` where there is none.
    /// <https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_DescribeTrails.html>
    pub async fn home_of(&self, trail: &str) -> Result<Option<String>, AwsError> {
        let asked = self.client.describe_trails().trail_name_list(trail).include_shadow_trails(true).send().await;
        let trails = asked.map_err(|error| sort_error(&error))?.trail_list.unwrap_or_default();
        let found = trails.into_iter().find(|found| found.name.as_deref() == Some(trail));
        Ok(found.map(|found| found.home_region.unwrap_or_default()))
    }

    /// The newest fifty calls of one operation since a time. Seconds since 1970.
    pub async fn calls(&self, event_name: &str, from: i64) -> Result<Vec<Event>, AwsError> {
        self.newest(LookupAttributeKey::EventName, event_name, from).await
    }

    /// The newest fifty calls by a user or session of this name since a time. Seconds since 1970.
    pub async fn calls_by(&self, user_name: &str, from: i64) -> Result<Vec<Event>, AwsError> {
        self.newest(LookupAttributeKey::Username, user_name, from).await
    }

    async fn newest(&self, key: LookupAttributeKey, value: &str, from: i64) -> Result<Vec<Event>, AwsError> {
        let attribute = LookupAttribute::builder()
            .attribute_key(key)
            .attribute_value(value)
            .build()
            .map_err(|why| AwsError::Refused(why.to_string()))?;
        let asked = self.client.lookup_events().lookup_attributes(attribute).start_time(DateTime::from_secs(from));
        let found = asked.max_results(50).send().await.map_err(|error| sort_error(&error))?;
        Ok(found.events.unwrap_or_default().into_iter().map(|event| read(event, from)).collect())
    }

    /// Events of a span, both ends within it. Seconds since 1970.
    pub async fn events(&self, from: i64, to: i64, next: Option<&str>) -> Result<Events, AwsError> {
        let asked = self
            .client
            .lookup_events()
            .start_time(DateTime::from_secs(from))
            .end_time(DateTime::from_secs(to))
            .max_results(50)
            .set_next_token(next.map(str::to_owned));
        let found = asked.send().await.map_err(|error| sort_error(&error))?;
        let events = found.events.unwrap_or_default().into_iter().map(|event| read(event, to)).collect();
        Ok(Events { events, next: found.next_token })
    }
}

/// `otherwise`: the time of one that has none.
fn read(event: aws_sdk_cloudtrail::types::Event, otherwise: i64) -> Event {
    Event {
        record: event.cloud_trail_event.unwrap_or_default(),
        id: event.event_id.unwrap_or_default(),
        time: event.event_time.map_or(otherwise, |time| time.secs()),
    }
}

/// Whether management events that only read are selected, CloudTrail's own among them. Of selectors of the newer kind one has to take
/// management events and to leave none of these out.
/// <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/logging-management-events-with-cloudtrail.html>
fn sees_reads(selectors: &GetEventSelectorsOutput) -> bool {
    let basic = selectors.event_selectors().iter().any(|selector| {
        let takes_reads = !matches!(selector.read_write_type(), Some(ReadWriteType::WriteOnly));
        selector.include_management_events() != Some(false) && takes_reads
    });
    basic
        || selectors.advanced_event_selectors().iter().any(|selector| {
            let field = |name: &str| selector.field_selectors().iter().find(|field| field.field() == name);
            let is =
                |name: &str, value: &str| field(name).is_some_and(|field| field.equals().iter().any(|is| is == value));
            let leaves_out_reads = is("readOnly", "false");
            let leaves_out_cloudtrail = field("eventSource").is_some_and(|field| {
                let own = "cloudtrail.amazonaws.com".to_owned();
                field.not_equals().contains(&own) || !field.equals().is_empty() && !field.equals().contains(&own)
            });
            is("eventCategory", "Management") && !leaves_out_reads && !leaves_out_cloudtrail
        })
}
