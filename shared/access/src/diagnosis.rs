//! The diagnosis: everything Trailpass says about one refused call, as other programs read it.
//!
//! The names, the order of the fields and the closed enumerations are a contract with subscribers; a new
//! word here is a new version of [`SCHEMA`]. Nothing in this file decides anything.

use serde::{Deserialize, Serialize, Serializer, ser::SerializeStruct};

use crate::{classify::Rule, commands::Commands, policy_document::PolicyDocument, principal::Principal};

/// The name and version of the shape below.
pub const SCHEMA: &str = "trailpass.diagnosis/1";

/// What is said about one record. A field that the record does not give is `None`, never a guess.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnosis {
    /// CloudTrail's `eventID`.
    pub event_id: Option<String>,
    /// CloudTrail's `eventTime`, as it was written there (ISO 8601, UTC).
    pub event_time: Option<String>,
    /// `aws`, `aws-cn`, `aws-us-gov`, …
    pub partition: Option<String>,
    /// `awsRegion`: where the call was made.
    pub region: Option<String>,
    /// `recipientAccountId`: the account whose trail holds the record.
    pub account_id: Option<String>,
    /// What Trailpass does about it.
    pub response: Response,
    /// The row of the decision table that decided.
    pub rule: Rule,
    /// The topic of AWS's troubleshooting page; `None` exactly when the response is `ignore`.
    pub scenario: Option<Scenario>,
    /// How dangerous the refused action is; `None` for an unknown action and for `ignore`.
    pub risk: Option<Risk>,
    /// Who called, from `userIdentity`.
    pub principal: Principal,
    /// The action that AWS checked, in IAM's spelling (`cloudtrail:GetTrail`).
    pub action: Option<String>,
    /// AWS's access level of a CloudTrail action.
    pub access_level: Option<AccessLevel>,
    /// The refused resource: an ARN, `*`, or IAM's free text.
    pub resource: Option<String>,
    /// Which kind of policy decided, and how.
    pub cause: Cause,
    /// One sentence for a tired administrator.
    pub summary: String,
    /// What would mend it, best first.
    pub remedies: Vec<Remedy>,
    /// AWS's page on the matter.
    pub documentation: &'static str,
}

/// What Trailpass does about a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Response {
    /// Not a denial, not about CloudTrail, or known noise: nothing is posted.
    Ignore,
    /// The fix is posted; a person makes it.
    SuggestFix,
    /// Posted for approval; some remedy is [`Apply::OnApproval`].
    RequestApproval,
    /// Somebody was stopped from blinding or exposing the audit log. Never a remedy on approval.
    RaiseAlarm,
}

/// The topics of *Troubleshooting CloudTrail identity and access*, plus CloudTrail's own delivery.
/// <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/security_iam_troubleshoot.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// "I am not authorized to perform an action in CloudTrail".
    NotAuthorized,
    /// A permission in another service (Config, CloudWatch Logs, S3, KMS, SNS, PassRole) is missing.
    Integration,
    /// An administrator was refused while giving somebody a CloudTrail policy.
    AllowOthers,
    /// Somebody outside the account, or an organization's trail operated from a member account.
    OutsideAccount,
    /// CloudTrail itself was refused by a bucket, a topic, a key or a role.
    Delivery,
}

/// How dangerous it is to allow an action. The order is the order of danger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Risk {
    /// Reads configuration.
    Routine,
    /// Reads the log's content, costs money or changes something that can be changed back.
    Sensitive,
    /// Blinds, redirects, destroys or exposes the audit log.
    Tampering,
}

/// AWS's access levels, as the Service Authorization Reference names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum AccessLevel {
    /// `List`
    List,
    /// `Read`
    Read,
    /// `Write`
    Write,
    /// `Tagging`
    Tagging,
    /// `Permissions management`
    #[serde(rename = "Permissions management")]
    PermissionsManagement,
}

/// Which kind of policy refused the call, and how.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Cause {
    /// Whether something denied or nothing allowed.
    pub effect: Effect,
    /// `None` where AWS's sentence names no kind, or one that is not known here.
    pub policy_type: Option<PolicyType>,
    /// The denying policy, where AWS names it (explicit denials only, never for inline policies).
    pub policy_arn: Option<String>,
}

/// Whether a policy denied, or no policy allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Nothing allows the action.
    ImplicitDeny,
    /// A statement denies the action.
    ExplicitDeny,
    /// The text does not say.
    Unknown,
}

/// The kinds of policy that IAM's evaluation knows.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyType {
    /// On a user, a group or a role.
    IdentityBasedPolicy,
    /// On the resource itself.
    ResourceBasedPolicy,
    /// The ceiling of a user or a role.
    PermissionsBoundary,
    /// Passed when the session was made.
    SessionPolicy,
    /// The organization's ceiling for an account's principals (SCP).
    ServiceControlPolicy,
    /// The organization's ceiling for an account's resources (RCP).
    ResourceControlPolicy,
    /// On the VPC endpoint that the call went through.
    VpcEndpointPolicy,
    /// Who may assume a role.
    RoleTrustPolicy,
}

/// One way to mend a denial.
#[derive(Debug, Clone, PartialEq)]
pub struct Remedy {
    /// What is changed.
    pub kind: RemedyKind,
    /// Whether an approval applies it, or a person does.
    pub apply: Apply,
    /// The highest risk of every action that the policy allows.
    pub risk: Risk,
    /// Whom the change reaches.
    pub reach: Reach,
    /// What the change is made on.
    pub target: Target,
    /// A managed policy to attach or to look at.
    pub policy_arn: Option<String>,
    /// The policy to write. For a grant: with its end left open.
    pub policy: Option<PolicyDocument>,
    /// Names exactly this remedy of this case; `None` where nobody can approve it.
    pub hash: Option<String>,
    /// Why this mends it, and what it costs.
    pub why: String,
    /// Where the call was refused: commands are written for this place.
    pub place: Place,
    /// Would be on approval if the grant mode were `exact`: what a notice may say without offering it.
    pub grantable: bool,
}

/// Partition, Region and account of the refused call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// `aws`, `aws-cn`, …
    pub partition: Option<String>,
    /// The call's Region.
    pub region: Option<String>,
    /// The account whose trail holds the record.
    pub account_id: Option<String>,
}

/// What a remedy changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "each word says what it does")]
pub enum RemedyKind {
    AttachManagedPolicy,
    PutInlinePolicy,
    ChangePermissionSet,
    CreateCrossAccountRole,
    PutResourcePolicy,
    UpdateBucketPolicy,
    UpdateTopicPolicy,
    UpdateKeyPolicy,
    UpdateLogRole,
    CreateServiceLinkedRole,
    ChangePermissionsBoundary,
    ChangeServiceControlPolicy,
    ChangeResourceControlPolicy,
    ChangeVpcEndpointPolicy,
    ChangeSessionPolicy,
    ChangeTrustPolicy,
    RemoveExplicitDeny,
    UseHomeRegionOrOwner,
}

/// How a remedy comes into force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Apply {
    /// Trailpass grants it, for a time, when an approver says so.
    OnApproval,
    /// Only a person can make this change.
    ByHand,
}

/// Whom a remedy reaches. More than the denied caller is said here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// The denied session of a role and no other.
    OneSession,
    /// Everybody who assumes the role.
    AllSessions,
    /// One IAM user.
    OneUser,
    /// Every member of a group.
    AllMembers,
    /// Every assignee of a permission set, in every account it is provisioned to.
    AllAssignees,
    /// Another account, as far as that account lets its own principals.
    OtherAccount,
    /// The CloudTrail service only.
    CloudtrailService,
    /// Everybody to whom the changed policy applies.
    EveryoneUnderPolicy,
    /// Nobody gets anything: the call has to be made elsewhere.
    Nobody,
}

/// What a remedy is made on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Target {
    /// The kind of thing.
    pub kind: TargetKind,
    /// Its name, without a path.
    pub name: String,
    /// Its ARN, where the record gives it or its parts.
    pub arn: Option<String>,
}

/// The kinds of thing that a remedy is made on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "each word says what it is")]
pub enum TargetKind {
    User,
    Role,
    Group,
    PermissionSet,
    Account,
    Organization,
    Bucket,
    Topic,
    Key,
    LogRole,
    LogGroup,
    EventDataStore,
    Channel,
    Dashboard,
    Policy,
    Trail,
    VpcEndpoint,
}

impl Serialize for Remedy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Remedy", 10)?;
        fields.serialize_field("kind", &self.kind)?;
        fields.serialize_field("apply", &self.apply)?;
        fields.serialize_field("risk", &self.risk)?;
        fields.serialize_field("reach", &self.reach)?;
        fields.serialize_field("target", &self.target)?;
        fields.serialize_field("policy_arn", &self.policy_arn)?;
        fields.serialize_field("policy", &self.policy)?;
        fields.serialize_field("hash", &self.hash)?;
        fields.serialize_field("why", &self.why)?;
        // Commands follow from the fields above, so they are written when somebody reads them and stored nowhere.
        fields.serialize_field("commands", &Commands::of(self))?;
        fields.end()
    }
}

impl Serialize for Diagnosis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Diagnosis", 18)?;
        fields.serialize_field("schema", SCHEMA)?;
        fields.serialize_field("event_id", &self.event_id)?;
        fields.serialize_field("event_time", &self.event_time)?;
        fields.serialize_field("partition", &self.partition)?;
        fields.serialize_field("region", &self.region)?;
        fields.serialize_field("account_id", &self.account_id)?;
        fields.serialize_field("response", &self.response)?;
        fields.serialize_field("rule", self.rule.id())?;
        fields.serialize_field("scenario", &self.scenario)?;
        fields.serialize_field("risk", &self.risk)?;
        fields.serialize_field("principal", &self.principal)?;
        fields.serialize_field("action", &self.action)?;
        fields.serialize_field("access_level", &self.access_level)?;
        fields.serialize_field("resource", &self.resource)?;
        fields.serialize_field("cause", &self.cause)?;
        fields.serialize_field("summary", &self.summary)?;
        fields.serialize_field("remedies", &self.remedies)?;
        fields.serialize_field("documentation", self.documentation)?;
        fields.end()
    }
}
