//! The denial: the facts of one refused call, each with the one source it may come from.
//!
//! Who called comes from `userIdentity`; what was refused, on what and why comes from AWS's sentence, which is text that
//! callers wrote parts of; the rest comes from the request. Nothing is decided here.

use crate::{
    action::{self, CloudTrailAction, ResourceType},
    arn::{Arn, is_account_id, is_region, partition_of},
    diagnosis::{Cause, Effect, Place, PolicyType, Risk},
    event::Record,
    message::{self, Reason, Sentence},
    principal::Caller,
};

/// The facts of one refused call.
#[derive(Debug, Clone, PartialEq)]
pub struct Denial {
    /// The record itself, for what is only shown. Empty for a bare sentence.
    pub record: Record,
    /// Partition, Region and account of the call.
    pub place: Place,
    /// Who called.
    pub caller: Caller,
    /// What kind of error it was.
    pub refusal: Refusal,
    /// AWS's sentence, if the message is one.
    pub sentence: Option<Sentence>,
    /// How much the message says.
    pub wording: Wording,
    /// The action that was refused.
    pub action: Option<String>,
    /// What is known of it, if it is CloudTrail's.
    pub known: Option<&'static CloudTrailAction>,
    /// How dangerous it is.
    pub risk: Option<Risk>,
    /// The resource it was refused on.
    pub resource: Option<String>,
    /// Who owns that resource, where its ARN or the record says so.
    pub owner: Option<String>,
    /// Which kind of policy decided.
    pub cause: Cause,
    /// CloudTrail made this call to another service for a person.
    pub is_through_cloudtrail: bool,
}

/// What the error code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// The call succeeded.
    NoError,
    /// An error, but nobody was refused.
    OtherError,
    /// `AccessDenied…`, `…UnauthorizedOperation`.
    AccessDenied,
    /// `VpceAccessDenied`.
    VpcEndpoint,
    /// CloudTrail may not write to the bucket.
    BucketPolicy,
    /// CloudTrail may not publish to the topic.
    TopicPolicy,
    /// CloudTrail may not use the key (or the bucket).
    EncryptionPolicy,
    /// CloudTrail may not assume the CloudWatch Logs role.
    LogRoleTrust,
    /// The CloudWatch Logs role may not write to the log group.
    LogRolePermissions,
    /// The organization's management account lacks CloudTrail's service-linked role.
    ServiceLinkedRoleMissing,
    /// The caller lacks permissions in Organizations or IAM that an organization's trail needs.
    DependencyPermissions,
    /// The caller may not see or make the service-linked role.
    ServiceLinkedRolePermissions,
    /// The account may not do this here, whatever its policies say.
    OperationNotPermitted,
    /// Only the organization's management account may.
    NotManagementAccount,
    /// CloudTrail has no trusted access in the organization.
    TrustedAccessOff,
    /// The channel's resource policy does not allow the caller.
    ChannelPermissions,
}

/// How much AWS's text says about the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Wording {
    /// A reason clause ends the sentence.
    Clause,
    /// A whole sentence of the old form, which gives no reason.
    OldForm,
    /// Cut off before a reason could stand.
    Cut,
    /// Some other text.
    Unrecognised,
    /// No text at all.
    Absent,
}

impl Refusal {
    /// Reads an error code. CloudTrail's own exceptions count only from CloudTrail: other services use the same names.
    /// <https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/CommonErrors.html>
    fn of(code: Option<&str>, message: Option<&str>, is_cloudtrail: bool) -> Self {
        let Some(code) = code.filter(|code| !code.is_empty()) else { return Self::NoError };
        let lower = code.to_ascii_lowercase();
        if lower == "vpceaccessdenied" {
            return Self::VpcEndpoint;
        }
        if lower.starts_with("accessdenied") || lower.ends_with("unauthorizedoperation") {
            return Self::AccessDenied;
        }
        if !is_cloudtrail {
            return Self::OtherError;
        }
        let denied = || message.is_some_and(|m| m.to_ascii_lowercase().contains("access denied"));
        match lower.strip_suffix("exception").unwrap_or(&lower) {
            "insufficients3bucketpolicy" => Self::BucketPolicy,
            "insufficientsnstopicpolicy" => Self::TopicPolicy,
            "insufficientencryptionpolicy" => Self::EncryptionPolicy,
            "invalidcloudwatchlogsrolearn" if denied() => Self::LogRoleTrust,
            "invalidcloudwatchlogsloggrouparn" if denied() => Self::LogRolePermissions,
            "nomanagementaccountslrexists" => Self::ServiceLinkedRoleMissing,
            "insufficientdependencyserviceaccesspermission" => Self::DependencyPermissions,
            "insufficientiamaccesspermission" => Self::ServiceLinkedRolePermissions,
            "operationnotpermitted" => Self::OperationNotPermitted,
            "notorganizationmasteraccount" | "notorganizationmanagementaccount" => Self::NotManagementAccount,
            "cloudtrailaccessnotenabled" => Self::TrustedAccessOff,
            "channelinsufficientpermission" => Self::ChannelPermissions,
            _ => Self::OtherError,
        }
    }

    /// CloudTrail itself was refused; the caller was authorized.
    pub fn is_delivery(self) -> bool {
        matches!(
            self,
            Self::BucketPolicy
                | Self::TopicPolicy
                | Self::EncryptionPolicy
                | Self::LogRoleTrust
                | Self::LogRolePermissions
                | Self::ServiceLinkedRoleMissing
        )
    }
}

impl Denial {
    /// The facts of a record.
    pub fn of(record: Record) -> Self {
        let source = record.event_source.as_deref().unwrap_or_default();
        let message = record.error_message.as_deref().filter(|m| !m.trim().is_empty());
        let refusal = Refusal::of(record.error_code.as_deref(), message, record.is_of_cloudtrail());
        let caller = Caller::of(record.user_identity.as_ref());
        let region = record.aws_region.clone().filter(|region| is_region(region));
        let place = Place {
            partition: caller.partition.clone().or_else(|| region.as_deref().map(|r| partition_of(r).to_owned())),
            region,
            account_id: record.recipient_account_id.clone().filter(|id| is_account_id(id)),
        };
        let sentence = message.and_then(message::parse);
        let wording = Wording::of(message, sentence.as_ref());
        let action = sentence
            .as_ref()
            .map(|sentence| sentence.action.clone())
            .or_else(|| action::of_event(source, record.event_name.as_deref()?));
        let is_through_cloudtrail = record.user_identity.as_ref().and_then(|i| i.invoked_by.as_deref())
            == Some("cloudtrail.amazonaws.com")
            || record.source_ip_address.as_deref() == Some("cloudtrail.amazonaws.com");
        Self::assemble(record, place, caller, refusal, sentence, wording, action, is_through_cloudtrail)
    }

    /// Whether the call itself would have blinded the log, whatever action of CloudTrail's its sentence is about. A sentence about
    /// another service's action means that that service's permission was missing.
    pub fn is_tampering_call(&self) -> bool {
        let source = self.record.event_source.as_deref().unwrap_or_default();
        let of_event = action::of_event(source, self.record.event_name.as_deref().unwrap_or_default());
        of_event.as_deref().and_then(action::find).is_some_and(|known| known.risk == Risk::Tampering)
            && self.service().starts_with("cloudtrail")
    }

    /// The facts of a bare sentence, as somebody pasted it. Good for showing: there is no record behind it.
    pub fn of_sentence(text: &str) -> Option<Self> {
        let sentence = message::parse(text);
        let code = error_code(text);
        let operation = sentence.as_ref().and_then(|s| s.operation.as_deref()).or_else(|| operation(text));
        let action = sentence
            .as_ref()
            .map(|sentence| sentence.action.clone())
            .or_else(|| Some(format!("cloudtrail:{}", operation?)).filter(|action| action::find(action).is_some()));
        let refusal = match &sentence {
            Some(_) => Refusal::AccessDenied,
            None => Refusal::of(code, Some(text), true),
        };
        if sentence.is_none() && matches!(refusal, Refusal::NoError) {
            return None;
        }
        let caller = Caller::of_sentence(sentence.as_ref().and_then(|s| s.principal.as_deref()));
        let wording = Wording::of(Some(text), sentence.as_ref());
        let arn = sentence.as_ref().and_then(|s| s.resource.as_deref()).and_then(Arn::parse);
        let place = Place {
            partition: caller.partition.clone().or_else(|| arn.map(|arn| arn.partition.to_owned())),
            region: None,
            account_id: None,
        };
        Some(Self::assemble(Record::of_message(text.trim()), place, caller, refusal, sentence, wording, action, false))
    }

    #[allow(clippy::too_many_arguments, reason = "the one place where the two ways of reading meet")]
    fn assemble(
        record: Record,
        place: Place,
        caller: Caller,
        refusal: Refusal,
        sentence: Option<Sentence>,
        wording: Wording,
        action: Option<String>,
        is_through_cloudtrail: bool,
    ) -> Self {
        let cause = Cause::of(refusal, sentence.as_ref());
        let known = action.as_deref().and_then(action::find);
        // In the table's spelling, if it is there.
        let action = known.map(|known| known.name.to_owned()).or(action);
        let mut denial = Self {
            known,
            risk: known.map(|known| known.risk).or_else(|| action::companion_risk(action.as_deref()?)),
            is_through_cloudtrail: is_through_cloudtrail && caller.is_person(),
            record,
            place,
            caller,
            refusal,
            sentence,
            wording,
            action,
            resource: None,
            owner: None,
            cause,
        };
        denial.resource = denial.read_resource();
        // A resource that is only the beginning of the one that was asked for means that the sentence was cut, or that the
        // rest of the name passes for a reason. Either way nothing in the text says why.
        let is_clause = denial.wording == Wording::Clause && denial.known.is_some();
        if (is_clause || denial.wording == Wording::OldForm) && denial.is_resource_broken_off() {
            denial.wording = Wording::Cut;
            denial.cause = Cause { effect: Effect::Unknown, policy_type: None, policy_arn: None };
            // Half a name is a wrong name: the request's whole one counts, if it is legal.
            denial.resource = denial.requested_resource();
        }
        denial.owner = denial.read_owner();
        denial
    }

    /// The sentence's resource, else the request's, else `*` where the action takes nothing else.
    fn read_resource(&self) -> Option<String> {
        if let Some(named) = self.sentence.as_ref().and_then(|sentence| sentence.resource.as_deref()) {
            return self.resource_named(named);
        }
        self.requested_resource()
            .or_else(|| self.known.is_some_and(CloudTrailAction::takes_only_star).then(|| "*".to_owned()))
    }

    /// What a text of the sentence names.
    fn resource_named(&self, named: &str) -> Option<String> {
        if named == "*" || Arn::parse(named).is_some() {
            return Some(named.to_owned());
        }
        let service = self.action.as_deref().map(action::service).unwrap_or_default();
        if service == "iam" {
            // "user bob", "policy P": IAM's own way to name what it has no ARN for. Control characters never stand in it.
            return Some(named.to_owned()).filter(|text| !text.contains(char::is_control));
        }
        let kinds = self.known.map_or(&[][..], |known| known.resources);
        let legal = |kind: &&ResourceType| kind.accepts(named);
        match self.place.region {
            Some(_) => kinds.iter().find(legal).and_then(|kind| kind.arn(&self.place_of_call(), named)),
            // A bare sentence doesn't say where; the name alone is all there is.
            None => kinds.iter().any(|kind| kind.accepts(named)).then(|| named.to_owned()),
        }
    }

    /// What the request's parameters name, for the actions whose parameters are known.
    pub fn requested_resource(&self) -> Option<String> {
        let action = self.action.as_deref()?;
        let record = &self.record;
        let partition = self.place.partition.as_deref().unwrap_or("aws");
        let arn_or = |text: &str, build: &dyn Fn() -> Option<String>| match Arn::parse(text) {
            Some(_) => Some(text.to_owned()),
            None => build(),
        };
        match action::service(action) {
            "cloudtrail" | "cloudtrail-data" => self.requested_trail_resource(),
            "s3" => {
                let bucket = record.parameter("bucketName").or_else(|| record.parameter("s3BucketName"))?;
                let name = match record.parameter("key") {
                    Some(key) => format!("arn:{partition}:s3:::{bucket}/{key}"),
                    None => format!("arn:{partition}:s3:::{bucket}"),
                };
                Arn::parse(&name).is_some().then_some(name)
            }
            "kms" => {
                let from_record =
                    || record.resources.iter().find_map(|r| r.arn.clone().filter(|arn| arn.contains(":kms:")));
                let key = record.parameter("keyId").or_else(|| record.parameter("kmsKeyId"));
                key.and_then(|key| arn_or(key, &|| self.local_arn("kms", "key/", key))).or_else(from_record)
            }
            "sns" => {
                let topic = record.parameter("topicArn").or_else(|| record.parameter("snsTopicName"));
                // SNS's own CreateTopic says `name`; in a call of CloudTrail's that is the trail's.
                let is_own = record.event_source.as_deref() == Some("sns.amazonaws.com");
                let topic = topic.or_else(|| record.parameter("name").filter(|_| is_own))?;
                arn_or(topic, &|| self.local_arn("sns", "", topic))
            }
            "logs" => record
                .parameter("logGroupName")
                .or_else(|| record.parameter("logGroupIdentifier"))
                .or_else(|| record.parameter("cloudWatchLogsLogGroupArn"))
                // What Logs Insights and Live Tail search: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_StartQuery.html
                .or_else(|| record.only_parameter("logGroupNames"))
                .or_else(|| record.only_parameter("logGroupIdentifiers"))
                .and_then(|group| arn_or(group, &|| self.local_arn("logs", "log-group:", group))),
            "sts" => record.parameter("roleArn").and_then(|role| arn_or(role, &|| None)),
            "iam" => match action::operation(action) {
                "PassRole" => ["cloudWatchLogsRoleArn", "federationRoleArn", "roleArn"]
                    .iter()
                    .find_map(|name| record.parameter(name))
                    .and_then(|role| arn_or(role, &|| None)),
                // IAM's requests name entities without their path, so there is no ARN to build: its own free text is kept.
                _ => [("userName", "user"), ("roleName", "role"), ("groupName", "group")]
                    .iter()
                    .find_map(|(parameter, kind)| Some(format!("{kind} {}", record.parameter(parameter)?)))
                    .filter(|text| !text.contains(char::is_control)),
            },
            _ => None,
        }
    }

    /// The request's trail, event data store, channel or dashboard.
    fn requested_trail_resource(&self) -> Option<String> {
        let kinds = self.known?.resources;
        let text = |name: &str| self.record.parameter(name);
        let by_type = |kind: ResourceType| match kind {
            ResourceType::Trail => text("trailName").or_else(|| text("name")),
            ResourceType::EventDataStore => text("eventDataStore"),
            ResourceType::Channel => text("channel").or_else(|| text("channelArn")),
            ResourceType::Dashboard => text("dashboardId").or_else(|| text("name")),
        };
        let creates = action::operation(self.known?.name).starts_with("Create");
        if let Some(named) =
            text("resourceArn").or_else(|| text("resourceId")).or_else(|| self.record.only_parameter("resourceIdList"))
        {
            return Arn::parse(named).map(|_| named.to_owned());
        }
        kinds.iter().find_map(|&kind| {
            // What is not made yet has no id: its name is no part of its ARN.
            if creates && !matches!(kind, ResourceType::Trail | ResourceType::Dashboard) {
                return None;
            }
            let named = by_type(kind)?;
            match Arn::parse(named) {
                Some(arn) => ResourceType::of(&arn).filter(|(found, _)| *found == kind).map(|_| named.to_owned()),
                None => kind.arn(&self.place_of_call(), named),
            }
        })
    }

    /// Where a bare name lives: records before version 1.02 do not say whose trail they are in, but who called.
    fn place_of_call(&self) -> Place {
        let account_id = self.place.account_id.clone().or_else(|| self.caller.principal.account_id.clone());
        Place { account_id, ..self.place.clone() }
    }

    /// An ARN in the call's own place, for a name that is legal in one.
    fn local_arn(&self, service: &str, prefix: &str, name: &str) -> Option<String> {
        let legal = name.len() <= 512 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./#".contains(&b));
        let (partition, region, account) =
            (self.place.partition.as_deref()?, self.place.region.as_deref()?, self.place.account_id.as_deref()?);
        legal.then(|| format!("arn:{partition}:{service}:{region}:{account}:{prefix}{name}"))
    }

    /// Whether the sentence's resource is only the beginning of the one that was asked for.
    fn is_resource_broken_off(&self) -> bool {
        let Some(named) = self.sentence.as_ref().and_then(|s| s.resource.as_deref()) else { return false };
        let name = Arn::parse(named).map_or(named, |arn| arn.resource.split_once('/').map_or(named, |(_, name)| name));
        self.requested_names().any(|asked| {
            let is_begun = |begun: &str| asked.len() > begun.len() && asked.starts_with(begun);
            is_begun(named) || is_begun(name)
        })
    }

    /// What the request calls the things that it is about, legal or not.
    fn requested_names(&self) -> impl Iterator<Item = &str> {
        const NAMES: [&str; 11] = [
            "name",
            "trailName",
            "eventDataStore",
            "channel",
            "channelArn",
            "dashboardId",
            "resourceArn",
            "resourceId",
            "roleArn",
            "topicArn",
            "keyId",
        ];
        NAMES.into_iter().filter_map(|name| self.record.parameter(name))
    }

    /// Whether the request names something that CloudTrail would not take: then its name may pass for other words.
    pub fn has_illegal_request(&self) -> bool {
        self.known.is_some_and(|known| !known.takes_only_star())
            && self.requested_names().next().is_some()
            && self.requested_resource().is_none()
    }

    /// Whether the request names another resource than the one that a grant would be for. A bare name lies in whichever Region the
    /// sentence says; everything else has to be the same.
    pub fn names_another_resource(&self) -> bool {
        let Some(asked) = self.known.filter(|known| !known.takes_only_star()).and_then(|_| self.requested_resource())
        else {
            return false;
        };
        let (Some(one), Some(other)) = (Arn::parse(&asked), self.resource_arn()) else { return true };
        let is_whole = self.requested_names().any(|named| named == asked);
        (one.partition, one.service, one.account, one.resource)
            != (other.partition, other.service, other.account, other.resource)
            || is_whole && one.region != other.region
    }

    /// The account in the resource's ARN, else the one that the record gives beside it.
    fn read_owner(&self) -> Option<String> {
        let in_arn =
            self.resource.as_deref().and_then(Arn::parse).as_ref().and_then(Arn::account_id).map(str::to_owned);
        in_arn
            .or_else(|| self.record.resources.iter().find_map(|r| r.account_id.clone().filter(|id| is_account_id(id))))
    }

    /// Every text that names the refused resource, as an ARN.
    pub fn resource_arn(&self) -> Option<Arn<'_>> {
        self.resource.as_deref().and_then(Arn::parse)
    }

    /// `service` of the refused action.
    pub fn service(&self) -> &str {
        self.action.as_deref().map(action::service).unwrap_or_default()
    }

    /// `Operation` of the refused action.
    pub fn operation(&self) -> &str {
        self.action.as_deref().map(action::operation).unwrap_or_default()
    }
}

impl Caller {
    /// A person or their program, as opposed to a service on its own behalf or nobody known.
    pub fn is_person(&self) -> bool {
        use crate::principal::PrincipalKind::{Anonymous, AwsService, Unknown};
        !matches!(self.principal.kind, AwsService | Anonymous | Unknown)
    }
}

impl Wording {
    fn of(message: Option<&str>, sentence: Option<&Sentence>) -> Self {
        match (message, sentence.map(|s| &s.reason)) {
            (_, Some(Reason::Clause { .. })) => Self::Clause,
            (_, Some(Reason::None)) => Self::OldForm,
            (_, Some(Reason::Cut)) => Self::Cut,
            (_, Some(Reason::Unrecognised)) | (Some(_), None) => Self::Unrecognised,
            (None, None) => Self::Absent,
        }
    }
}

impl Cause {
    fn of(refusal: Refusal, sentence: Option<&Sentence>) -> Self {
        match sentence {
            _ if refusal == Refusal::VpcEndpoint => {
                Self { effect: Effect::Unknown, policy_type: Some(PolicyType::VpcEndpointPolicy), policy_arn: None }
            }
            Some(Sentence { reason: Reason::Clause { effect, policy_type }, policy_arn, .. })
                if !refusal.is_delivery() =>
            {
                Self { effect: *effect, policy_type: *policy_type, policy_arn: policy_arn.clone() }
            }
            _ => Self { effect: Effect::Unknown, policy_type: None, policy_arn: None },
        }
    }
}

/// The error code that an SDK or the CLI puts around a message: `(Code)` or `Code:`.
fn error_code(text: &str) -> Option<&str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '.').find(|word| {
        word.ends_with("Exception")
            || *word == "AccessDenied"
            || word.ends_with("UnauthorizedOperation")
            || *word == "VpceAccessDenied"
    })
}

/// The operation that the CLI names: `when calling the StopLogging operation`.
fn operation(text: &str) -> Option<&str> {
    text.split_once("when calling the ")?.1.split_once(" operation")?.0.split_whitespace().last()
}
