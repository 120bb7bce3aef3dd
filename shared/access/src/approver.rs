//! Approvers: who may be asked at all, and by which names Slack and AWS know them.
//!
//! An approver is a record in the operator's file, never somebody who merely holds a link. The AWS identities are mandatory:
//! without them nobody could tell whether a person answers for their own denial. Two questions are asked of them, and each
//! is answered to the safe side: [`Approvers::by_aws`] takes a caller for an approver only if everything is equal, and
//! [`Approver::own_denial`] says `No` only of a caller who certainly is somebody else. Whoever uses what others use, too, is never
//! known by it, and still doesn't answer for its denials.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{
    arn::{Arn, is_account_id, is_iam_name, is_literal},
    notice::is_hidden,
    principal::{Principal, PrincipalKind, is_session_name, permission_set},
};

/// The name and version of the file's shape.
pub const SCHEMA: &str = "trailpass.approvers/1";

/// The longest file that is read. Bytes.
const LONGEST: usize = 256 * 1024;
/// The most approvers, and the most groups, Slack users and AWS identities of one.
const MOST: usize = 200;
const MOST_OF_ONE: usize = 32;

/// Everybody who may be asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Approvers {
    list: Vec<Approver>,
}

/// One person. Only [`Approvers::from_json`] makes one, so that whoever holds one knows that it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approver {
    /// How decisions and messages call this person; no two have the same name.
    pub name: String,
    /// What approval rules may ask about.
    pub groups: Vec<String>,
    /// In which workspaces Slack knows this person, and as whom.
    pub slack: Vec<SlackUser>,
    identities: Vec<Identity>,
    uses: Vec<Identity>,
}

/// A user of a Slack workspace. An id without its team is nobody: shared channels bring in other teams' users.
/// <https://docs.slack.dev/apis/slack-connect/>
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlackUser {
    /// `T…`, or `E…` for an organization of workspaces.
    pub team_id: String,
    /// `U…` or `W…`.
    pub user_id: String,
}

/// Whether a denial is the approver's own. In the order of caution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OwnDenial {
    /// Somebody else was denied.
    No,
    /// The record doesn't give enough to tell.
    Unknown,
    /// This person was denied, or a role that this person uses.
    Yes,
}

/// What AWS knows an approver by. Accounts tell same names apart; within one, IAM's names are unique whatever the path and
/// the case: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
#[derive(Debug, Clone, PartialEq, Eq)]
enum Identity {
    /// An IAM user.
    User { partition: String, account: String, path: String, name: String },
    /// A role, whoever has assumed it.
    Role { partition: String, account: String, name: String },
    /// One person's sessions of a role that Identity Center owns.
    Session { partition: String, account: String, role: String, session: String },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: String,
    approvers: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    #[serde(default)]
    groups: Vec<String>,
    #[serde(default)]
    slack: Vec<SlackUser>,
    aws: Vec<String>,
    #[serde(default)]
    uses: Vec<String>,
}

impl Approvers {
    /// Reads the file's text. The error says which member and why.
    pub fn from_json(json: &str) -> Result<Self, String> {
        let read = || -> Result<Self, String> {
            if json.len() > LONGEST {
                return Err(format!("{} bytes are more than {LONGEST}", json.len()));
            }
            let file: File = serde_json::from_str(json).map_err(|e| e.to_string())?;
            if file.schema != SCHEMA {
                return Err(format!("schema: {:?} is not {SCHEMA:?}", file.schema));
            }
            at_most("approvers", file.approvers.len(), MOST)?;
            let entries = file.approvers.into_iter().enumerate();
            let list: Vec<Approver> = entries
                .map(|(at, entry)| entry.check().map_err(|e| format!("approvers[{at}].{e}")))
                .collect::<Result<_, _>>()?;
            check_distinct(&list)?;
            Ok(Self { list })
        };
        read().map_err(|e| format!("approvers: {e}"))
    }

    /// Everybody, in the file's order.
    pub fn iter(&self) -> impl Iterator<Item = &Approver> {
        self.list.iter()
    }

    /// The approver who is this user of this Slack workspace.
    pub fn by_slack(&self, team_id: &str, user_id: &str) -> Option<&Approver> {
        let is_theirs = |user: &SlackUser| user.team_id == team_id && user.user_id == user_id;
        self.list.iter().find(|approver| approver.slack.iter().any(is_theirs))
    }

    /// The approver whose ARN AWS gave as the caller's.
    ///
    /// Of a role's session, `GetCallerIdentity` gives the role's name and leaves its path out. That is enough, because an
    /// account has no two roles of one name: <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>
    pub fn by_aws(&self, caller: &str) -> Option<&Approver> {
        let caller = Arn::parse(caller)?;
        self.list.iter().find(|approver| approver.identities.iter().any(|identity| identity.is_caller(&caller)))
    }
}

impl Approver {
    /// Whether the denied principal is this person.
    pub fn own_denial(&self, denied: &Principal) -> OwnDenial {
        let Some(denied) = Denied::of(denied) else { return OwnDenial::Unknown };
        // No identity at all can't be: the file would not have been read. It would tell nothing.
        let identities = self.identities.iter().chain(&self.uses);
        identities.map(|identity| identity.is_denied(&denied)).max().unwrap_or(OwnDenial::Unknown)
    }
}

impl Entry {
    fn check(self) -> Result<Approver, String> {
        check_name(&self.name).map_err(|e| format!("name: {e}"))?;
        at_most("groups", self.groups.len(), MOST_OF_ONE)?;
        at_most("slack", self.slack.len(), MOST_OF_ONE)?;
        at_most("aws", self.aws.len(), MOST_OF_ONE)?;
        at_most("uses", self.uses.len(), MOST_OF_ONE)?;
        if self.aws.is_empty() {
            return Err(
                "aws: at least one identity is needed, or nobody could tell an approver's own denial".to_owned()
            );
        }
        for (at, group) in self.groups.iter().enumerate() {
            check_name(group).map_err(|e| format!("groups[{at}]: {e}"))?;
        }
        for (at, user) in self.slack.iter().enumerate() {
            check_slack_id(&user.team_id, ['T', 'E']).map_err(|e| format!("slack[{at}].team_id: {e}"))?;
            check_slack_id(&user.user_id, ['U', 'W']).map_err(|e| format!("slack[{at}].user_id: {e}"))?;
        }
        let identities = parsed("aws", &self.aws)?;
        let uses = parsed("uses", &self.uses)?;
        if let Some(at) = uses.iter().position(|used| matches!(used, Identity::Session { .. })) {
            return Err(format!("uses[{at}]: a session of Identity Center's is one person's: it belongs into aws"));
        }
        Ok(Approver { name: self.name, groups: self.groups, slack: self.slack, identities, uses })
    }
}

impl Identity {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let arn = Arn::parse(text).ok_or("is no ARN")?;
        if !arn.region.is_empty() || !is_account_id(arn.account) || !is_literal(text) {
            return Err("names no single identity of one account");
        }
        let (partition, account) = (arn.partition.to_owned(), arn.account.to_owned());
        match (arn.service, arn.entity()) {
            ("iam", Some(("user", path, name))) if is_entity(path, name) => {
                Ok(Self::User { partition, account, path: path.to_owned(), name: name.to_owned() })
            }
            ("iam", Some(("role", path, _))) if path.starts_with("/aws-service-role/") => {
                Err("is an AWS service's own role: no person uses it")
            }
            ("iam", Some(("role", path, name))) if is_entity(path, name) => {
                Ok(Self::Role { partition, account, name: name.to_owned() })
            }
            ("sts", _) => match session_of(&arn) {
                Some((role, _)) if permission_set(role).is_none() => Err(
                    "is a session, and whoever assumes the role chooses its name: list the role, arn:…:iam::…:role/…",
                ),
                Some((role, session)) if is_iam_name(role) && is_session_name(session) => {
                    Ok(Self::Session { partition, account, role: role.to_owned(), session: session.to_owned() })
                }
                _ => Err("is no session of a role"),
            },
            _ => Err("is no IAM user, no role and no session of an Identity Center role"),
        }
    }

    /// What no second identity may have; IAM's names without regard to case.
    fn key(&self) -> String {
        match self {
            Self::User { account, name, .. } => format!("the user {} of {account}", name.to_ascii_lowercase()),
            Self::Role { account, name, .. } => role_key(account, name),
            Self::Session { account, role, session, .. } => {
                format!("{}'s session {}", role_key(account, role), session.to_ascii_lowercase())
            }
        }
    }

    /// Whether AWS gave exactly this identity as a caller's.
    fn is_caller(&self, caller: &Arn) -> bool {
        match self {
            // A user's path is given, so that one who was made anew elsewhere under an old name is somebody else.
            Self::User { partition, account, path, name } => {
                (caller.service, caller.partition, caller.account) == ("iam", partition, account)
                    && caller.entity().is_some_and(|(kind, its_path, its_name)| {
                        kind == "user" && its_path == path && its_name.eq_ignore_ascii_case(name)
                    })
            }
            Self::Role { partition, account, name } => {
                (caller.service, caller.partition, caller.account) == ("sts", partition, account)
                    && session_of(caller).is_some_and(|(role, _)| role.eq_ignore_ascii_case(name))
            }
            Self::Session { partition, account, role, session } => {
                (caller.service, caller.partition, caller.account) == ("sts", partition, account)
                    && session_of(caller)
                        .is_some_and(|(its_role, its)| its_role.eq_ignore_ascii_case(role) && its == session)
            }
        }
    }

    /// Whether a denial of this caller is this identity's own.
    fn is_denied(&self, denied: &Denied) -> OwnDenial {
        let is_same = |kind: &str, account: &str, name: &str| {
            kind == denied.kind && account == denied.account && name.eq_ignore_ascii_case(denied.name)
        };
        let is = match self {
            Self::User { account, name, .. } => is_same("user", account, name),
            Self::Role { account, name, .. } => is_same("role", account, name),
            // Identity Center names its sessions after the person, in every permission set: the same name in the same account is
            // the same person, and another name is another. It says nothing of users and of other roles.
            // https://docs.aws.amazon.com/singlesignon/latest/userguide/referencingpermissionsets.html
            Self::Session { account, session, .. } if denied.is_sso && denied.account == account => {
                match denied.session {
                    Some(its) => its.eq_ignore_ascii_case(session),
                    None => return OwnDenial::Unknown,
                }
            }
            // The name of Identity Center's role, but the record doesn't say that it is Identity Center's.
            Self::Session { account, role, .. } if is_same("role", account, role) => return OwnDenial::Unknown,
            Self::Session { .. } => false,
        };
        if is { OwnDenial::Yes } else { OwnDenial::No }
    }
}

/// A denied user or role of whom everything is known that identities are compared by.
struct Denied<'a> {
    kind: &'static str,
    account: &'a str,
    name: &'a str,
    session: Option<&'a str>,
    is_sso: bool,
}

impl<'a> Denied<'a> {
    /// `None` for every other kind of caller, and where ARN, account and name are not all given or don't agree.
    fn of(principal: &'a Principal) -> Option<Self> {
        let kind = match principal.kind {
            PrincipalKind::IamUser => "user",
            PrincipalKind::RoleSession | PrincipalKind::SsoSession | PrincipalKind::ServiceLinkedRole => "role",
            // Others act for somebody whom the record may not name: a federated user for the user who made the session.
            PrincipalKind::Root
            | PrincipalKind::FederatedUser
            | PrincipalKind::SamlUser
            | PrincipalKind::WebIdentityUser
            | PrincipalKind::IdentityCenterUser
            | PrincipalKind::AwsService
            | PrincipalKind::AwsAccount
            | PrincipalKind::Anonymous
            | PrincipalKind::Unknown => return None,
        };
        let arn = Arn::parse(principal.arn.as_deref()?).filter(|arn| arn.service == "iam")?;
        let (account, name) = (principal.account_id.as_deref()?, principal.name.as_deref()?);
        let (its_kind, _, its_name) = arn.entity()?;
        let agrees = its_kind == kind && its_name == name && arn.account_id() == Some(account);
        let is_sso = principal.kind == PrincipalKind::SsoSession;
        agrees.then_some(Self { kind, account, name, session: principal.session_name.as_deref(), is_sso })
    }
}

fn parsed(member: &str, arns: &[String]) -> Result<Vec<Identity>, String> {
    let parse = |(at, arn): (usize, &String)| Identity::parse(arn).map_err(|e| format!("{member}[{at}]: {arn:?} {e}"));
    arns.iter().enumerate().map(parse).collect()
}

fn role_key(account: &str, name: &str) -> String {
    format!("the role {} of {account}", name.to_ascii_lowercase())
}

/// Role and session of `assumed-role/ROLE/SESSION`.
fn session_of<'a>(arn: &Arn<'a>) -> Option<(&'a str, &'a str)> {
    let (role, session) = arn.resource.strip_prefix("assumed-role/")?.split_once('/')?;
    (!role.is_empty() && !session.is_empty() && !session.contains('/')).then_some((role, session))
}

/// A name that IAM takes for a user or a role, under a path that it takes.
fn is_entity(path: &str, name: &str) -> bool {
    is_iam_name(name) && name.len() <= 64 && path.len() <= 512 && !path.contains("//")
}

fn at_most(member: &str, count: usize, most: usize) -> Result<(), String> {
    if count > most { Err(format!("{member}: {count} are more than {most}")) } else { Ok(()) }
}

/// People read these names to know who decided: nothing in them may be unseen.
fn check_name(name: &str) -> Result<(), String> {
    let is_shown = !name.is_empty() && name.trim() == name && name.chars().count() <= 64 && !name.contains(is_hidden);
    if is_shown { Ok(()) } else { Err(format!("{name:?} is not 1 to 64 visible characters")) }
}

fn check_slack_id(id: &str, [one, other]: [char; 2]) -> Result<(), String> {
    if is_slack_id(id, &[one, other]) {
        Ok(())
    } else {
        Err(format!("{id:?} is no id of Slack's that begins with {one} or {other}"))
    }
}

/// An id as Slack makes them, of a kind that begins with one of these letters.
pub fn is_slack_id(id: &str, kinds: &[char]) -> bool {
    id.starts_with(kinds)
        && (2..=32).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

/// Nobody is two people: each name, each Slack user and each AWS identity stands in the file once.
fn check_distinct(list: &[Approver]) -> Result<(), String> {
    let mut seen: BTreeMap<String, &Approver> = BTreeMap::new();
    for approver in list {
        let name = std::iter::once(format!("the name {:?}", approver.name.to_lowercase()));
        let slack = approver.slack.iter().map(|user| format!("Slack's user {} of {}", user.user_id, user.team_id));
        let aws = approver.identities.iter().map(Identity::key);
        for key in name.chain(slack).chain(aws) {
            if let Some(other) = seen.get(&key) {
                return Err(format!("{key} stands twice: {:?} and {:?}", other.name, approver.name));
            }
            seen.insert(key, approver);
        }
    }
    for approver in list {
        for identity in &approver.identities {
            let Identity::Session { account, role, .. } = identity else { continue };
            if let Some(other) = seen.get(&role_key(account, role)) {
                let key = identity.key();
                return Err(format!(
                    "{key} stands twice: {:?} has every session of it, {:?} one",
                    other.name, approver.name
                ));
            }
        }
    }
    Ok(())
}
