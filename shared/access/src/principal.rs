//! Who called: what `userIdentity` says, and what follows for giving that caller anything.
//!
//! `userIdentity` is written by AWS, so it is believed; names and session names in it are chosen by people, so they
//! are checked before they stand in a policy. AWS's sentence names a principal, too, but never decides who it was.
//! Forms: <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html>

use serde::{Deserialize, Serialize};

mod agreement;
mod names;

use agreement::agrees;
use names::{is_workloads_session, unique_id};

use crate::{
    arn::{Arn, is_account_id, is_iam_name},
    event::{SessionIssuer, UserIdentity},
};

/// Who called, as the record's `userIdentity` says.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Principal {
    /// What kind of caller.
    pub kind: PrincipalKind,
    /// The IAM entity's ARN; for a session, the issuing role's.
    pub arn: Option<String>,
    /// The caller's account.
    pub account_id: Option<String>,
    /// The entity's name without its path.
    pub name: Option<String>,
    /// IAM's unique id of the user or the role (`AIDA…`, `AROA…`).
    pub unique_id: Option<String>,
    /// The name of the session, for roles.
    pub session_name: Option<String>,
}

/// The kinds of caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PrincipalKind {
    /// The account's root user.
    Root,
    /// An IAM user.
    IamUser,
    /// A session of an ordinary role.
    RoleSession,
    /// A session of a role that Identity Center owns (under `/aws-reserved/`).
    SsoSession,
    /// A session of a role that an AWS service owns (under `/aws-service-role/`).
    ServiceLinkedRole,
    /// A session made by `GetFederationToken`.
    FederatedUser,
    /// Not yet a session: calling `AssumeRoleWithSAML`.
    SamlUser,
    /// Not yet a session: calling `AssumeRoleWithWebIdentity`.
    WebIdentityUser,
    /// An Identity Center user, without a role.
    IdentityCenterUser,
    /// An AWS service on its own behalf.
    AwsService,
    /// A principal of another account.
    AwsAccount,
    /// Nobody signed the request.
    Anonymous,
    /// A form that is not known here.
    Unknown,
}

/// The caller with everything that matters for a remedy, beyond what is told to other programs.
#[derive(Debug, Clone, PartialEq)]
pub struct Caller {
    /// What is told.
    pub principal: Principal,
    /// The partition in the caller's own ARN.
    pub partition: Option<String>,
    /// The IAM path of the user or the role, with both slashes; `None` where no ARN gives it.
    pub path: Option<String>,
    /// The ARN under which the caller signed: a session's, not its role's.
    pub session_arn: Option<String>,
    /// The IAM user that a federated user's session was made by.
    pub issuer: Option<String>,
    /// The session belongs to a machine or a function, not to a person.
    pub is_workload: bool,
    /// An AWS service made the call with the caller's credentials.
    pub is_by_service: bool,
    /// What `userIdentity` says in several places, it says alike: ARN, account, name, unique id, session and its issuer.
    pub agrees: bool,
}

impl Caller {
    /// Reads `userIdentity`; an absent one is an unknown caller.
    pub fn of(identity: Option<&UserIdentity>) -> Self {
        let Some(identity) = identity else { return Self::unknown() };
        let issuer = identity.session_context.as_ref().and_then(|context| context.session_issuer.as_ref());
        let arn = identity.arn.as_deref().and_then(Arn::parse);
        let session_arn = identity.arn.clone().filter(|_| arn.is_some());
        let account_id = identity
            .account_id
            .as_deref()
            .filter(|id| is_account_id(id))
            .or_else(|| arn.as_ref().and_then(Arn::account_id))
            .map(str::to_owned);
        let mut caller = Self {
            principal: Principal { account_id, ..Principal::unknown() },
            partition: arn.map(|arn| arn.partition.to_owned()),
            session_arn,
            is_by_service: identity.invoked_by.is_some(),
            agrees: agrees(identity, arn.as_ref()),
            ..Self::unknown()
        };
        match identity.kind.as_deref() {
            Some("Root") => {
                caller.principal.kind = PrincipalKind::Root;
                caller.principal.arn = identity.arn.clone();
                caller.principal.name = Some("root".to_owned());
            }
            Some("IAMUser") => caller.read_user(identity, arn.as_ref()),
            Some("AssumedRole" | "Role") => caller.read_session(identity, issuer, arn.as_ref()),
            Some("FederatedUser") => {
                caller.principal.kind = PrincipalKind::FederatedUser;
                caller.principal.arn = identity.arn.clone();
                caller.principal.name =
                    arn.as_ref().and_then(|arn| arn.resource.strip_prefix("federated-user/")).map(str::to_owned);
                caller.issuer = issuer
                    .filter(|issuer| issuer.kind.as_deref() == Some("IAMUser"))
                    .and_then(|issuer| issuer.user_name.clone())
                    .filter(|name| is_iam_name(name));
            }
            Some("SAMLUser") => caller.read_outsider(PrincipalKind::SamlUser, identity),
            Some("WebIdentityUser") => caller.read_outsider(PrincipalKind::WebIdentityUser, identity),
            Some("IdentityCenterUser") => {
                caller.principal.kind = PrincipalKind::IdentityCenterUser;
                caller.principal.name = identity.on_behalf_of.as_ref().and_then(|user| user.user_id.clone());
            }
            Some("AWSService") => caller.read_service(identity),
            Some("AWSAccount") => caller.read_account(identity, arn.as_ref()),
            // Events that a service reports of itself carry no type.
            None if identity.invoked_by.is_some() && identity.arn.is_none() && identity.principal_id.is_none() => {
                caller.read_service(identity);
            }
            _ => {}
        }
        caller
    }

    /// The caller as a bare sentence names it: good for showing, never for giving anything.
    pub fn of_sentence(named: Option<&str>) -> Self {
        let mut caller = Self::unknown();
        let Some(named) = named else { return caller };
        if named.eq_ignore_ascii_case("anonymous") {
            caller.principal.kind = PrincipalKind::Anonymous;
            return caller;
        }
        if is_account_id(named) {
            caller.principal.kind = PrincipalKind::AwsAccount;
            caller.principal.account_id = Some(named.to_owned());
            return caller;
        }
        let Some(arn) = Arn::parse(named) else { return caller };
        caller.partition = Some(arn.partition.to_owned());
        caller.session_arn = Some(named.to_owned());
        caller.principal.account_id = arn.account_id().map(str::to_owned);
        let mut parts = arn.resource.splitn(3, '/');
        match (arn.service, parts.next(), parts.next(), parts.next()) {
            ("iam", Some("root"), None, None) => {
                caller.principal.kind = PrincipalKind::Root;
                caller.principal.arn = Some(named.to_owned());
                caller.principal.name = Some("root".to_owned());
            }
            ("iam", Some("user"), Some(_), _) => caller.set_entity(PrincipalKind::IamUser, &arn, named),
            ("iam", Some("role"), Some(_), _) => caller.set_entity(PrincipalKind::RoleSession, &arn, named),
            ("sts", Some("assumed-role"), Some(role), session) => {
                // The path is not in this ARN, so only the shape of the name can tell Identity Center's roles. Anybody may
                // choose such a name, but being taken for one only takes possibilities away.
                let reserved = permission_set(role).is_some();
                caller.principal.kind = if reserved { PrincipalKind::SsoSession } else { PrincipalKind::RoleSession };
                caller.principal.name = Some(role.to_owned());
                caller.principal.session_name = session.map(str::to_owned);
            }
            ("sts", Some("federated-user"), Some(name), None) => {
                caller.principal.kind = PrincipalKind::FederatedUser;
                caller.principal.arn = Some(named.to_owned());
                caller.principal.name = Some(name.to_owned());
            }
            _ => {}
        }
        caller
    }

    /// A caller of whom nothing is known.
    pub fn unknown() -> Self {
        Self {
            principal: Principal::unknown(),
            partition: None,
            path: None,
            session_arn: None,
            issuer: None,
            is_workload: false,
            is_by_service: false,
            agrees: true,
        }
    }

    /// Whether IAM lets an administrator of the account change this caller's own policies.
    pub fn is_editable(&self) -> bool {
        matches!(self.principal.kind, PrincipalKind::IamUser | PrincipalKind::RoleSession)
            // Groups may have longer names, users and roles not.
            && self.principal.name.as_deref().is_some_and(|name| is_iam_name(name) && name.len() <= 64)
            && self.path.as_deref().is_some_and(|path| {
                // IAM keeps these two for roles that only AWS may modify.
                !path.starts_with("/aws-reserved/") && !path.starts_with("/aws-service-role/")
            })
    }

    /// Whether a session has the name that it was made with; a user needs none.
    pub fn has_legal_session_name(&self) -> bool {
        self.principal.kind != PrincipalKind::RoleSession
            || self.principal.session_name.as_deref().is_some_and(is_session_name)
    }

    /// `aws:userid` of exactly this caller: `AIDA…`, or `AROA…:session`.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#principaltable>
    pub fn user_id(&self) -> Option<String> {
        let unique_id = self.principal.unique_id.as_deref()?;
        match self.principal.kind {
            PrincipalKind::IamUser => Some(unique_id.to_owned()),
            PrincipalKind::RoleSession => {
                let session = self.principal.session_name.as_deref().filter(|name| is_session_name(name))?;
                Some(format!("{unique_id}:{session}"))
            }
            _ => None,
        }
    }

    /// Whether AWS's sentence names somebody else than `userIdentity` does.
    pub fn is_contradicted_by(&self, named: &str) -> bool {
        if self.session_arn.as_deref() == Some(named) || self.principal.arn.as_deref() == Some(named) {
            return false;
        }
        let said = Self::of_sentence(Some(named));
        // A role's ARN and its session's ARN name the same caller; a path may stand in one and not in the other.
        said.partition != self.partition
            || said.principal.account_id != self.principal.account_id
            || said.principal.name != self.principal.name
            || said.principal.session_name.is_some() && said.principal.session_name != self.principal.session_name
            || said.principal.kind.entity() != self.principal.kind.entity()
    }

    fn read_user(&mut self, identity: &UserIdentity, arn: Option<&Arn>) {
        self.principal.kind = PrincipalKind::IamUser;
        match arn.and_then(|arn| arn.entity()) {
            Some(("user", path, name)) => {
                self.principal.arn = identity.arn.clone();
                self.principal.name = Some(name.to_owned());
                self.path = Some(path.to_owned());
            }
            _ => self.principal.name = identity.user_name.clone(),
        }
        self.principal.unique_id = identity.principal_id.as_deref().and_then(unique_id);
    }

    fn read_session(&mut self, identity: &UserIdentity, issuer: Option<&SessionIssuer>, arn: Option<&Arn>) {
        let issuer_arn = issuer.and_then(|issuer| issuer.arn.as_deref());
        let issuing_role = issuer_arn.and_then(Arn::parse).and_then(|arn| match arn.entity() {
            Some(("role", path, name)) if arn.service == "iam" => Some((path.to_owned(), name.to_owned())),
            _ => None,
        });
        let mut session =
            arn.filter(|arn| arn.service == "sts").map(|arn| arn.resource.splitn(3, '/')).into_iter().flatten();
        let (_, role, session_name) = (session.next(), session.next(), session.next());
        let (principal_id, session_of_id) = match identity.principal_id.as_deref().map(|id| id.split_once(':')) {
            Some(Some((id, session))) => (Some(id), Some(session)),
            Some(None) => (identity.principal_id.as_deref(), None),
            None => (None, None),
        };
        self.principal.session_name = session_name.or(session_of_id).map(str::to_owned);
        self.principal.unique_id =
            issuer.and_then(|issuer| issuer.principal_id.as_deref()).or(principal_id).and_then(unique_id);
        if let Some((path, name)) = issuing_role {
            self.principal.kind = if path.starts_with("/aws-service-role/") {
                PrincipalKind::ServiceLinkedRole
            } else if path.starts_with("/aws-reserved/") && name.starts_with("AWSReservedSSO_") {
                PrincipalKind::SsoSession
            } else {
                PrincipalKind::RoleSession
            };
            self.principal.arn = issuer_arn.map(str::to_owned);
            self.principal.name = Some(name);
            self.path = Some(path);
        } else {
            let name = issuer.and_then(|issuer| issuer.user_name.as_deref()).or(role);
            let reserved = name.and_then(permission_set).is_some();
            self.principal.kind = if reserved { PrincipalKind::SsoSession } else { PrincipalKind::RoleSession };
            self.principal.name = name.map(str::to_owned);
        }
        if self.principal.account_id.is_none() {
            self.principal.account_id = issuer.and_then(|i| i.account_id.clone()).filter(|id| is_account_id(id));
        }
        let ec2 = identity.session_context.as_ref().is_some_and(|context| context.ec2_role_delivery.is_some());
        let session = self.principal.session_name.as_deref();
        let is_of_service = self.path.as_deref().is_some_and(|path| path.starts_with("/service-role/"));
        self.is_workload =
            ec2 || is_of_service || session.is_some_and(is_workloads_session) || identity.in_scope_of.is_some();
    }

    fn read_outsider(&mut self, kind: PrincipalKind, identity: &UserIdentity) {
        self.principal.kind = kind;
        self.principal.name = identity.user_name.clone();
    }

    fn read_service(&mut self, identity: &UserIdentity) {
        self.principal.kind = PrincipalKind::AwsService;
        self.principal.name = identity.invoked_by.clone();
    }

    fn read_account(&mut self, identity: &UserIdentity, arn: Option<&Arn>) {
        let is_anonymous = |text: &Option<String>| {
            text.as_deref()
                .is_some_and(|t| t.eq_ignore_ascii_case("ANONYMOUS_PRINCIPAL") || t.eq_ignore_ascii_case("anonymous"))
        };
        if is_anonymous(&identity.account_id) || is_anonymous(&identity.principal_id) {
            self.principal.kind = PrincipalKind::Anonymous;
            return;
        }
        self.principal.kind = PrincipalKind::AwsAccount;
        let (id, session) = match identity.principal_id.as_deref().map(|id| id.split_once(':').unwrap_or((id, ""))) {
            Some((id, session)) => (unique_id(id), Some(session).filter(|s| !s.is_empty()).map(str::to_owned)),
            None => (None, None),
        };
        self.principal.unique_id = id;
        self.principal.session_name = session;
        let Some(arn) = arn else { return };
        if let Some(("user" | "role", path, name)) = arn.entity().filter(|_| arn.service == "iam") {
            self.principal.arn = identity.arn.clone();
            self.principal.name = Some(name.to_owned());
            self.path = Some(path.to_owned());
        } else if let Some(session) = arn.resource.strip_prefix("assumed-role/") {
            let (role, session) = session.split_once('/').unwrap_or((session, ""));
            self.principal.name = Some(role.to_owned());
            self.principal.session_name =
                Some(session).filter(|s| !s.is_empty()).map(str::to_owned).or(self.principal.session_name.take());
        }
    }

    fn set_entity(&mut self, kind: PrincipalKind, arn: &Arn, text: &str) {
        if let Some((_, path, name)) = arn.entity() {
            self.principal.kind = kind;
            self.principal.arn = Some(text.to_owned());
            self.principal.name = Some(name.to_owned());
            self.path = Some(path.to_owned());
            if kind == PrincipalKind::RoleSession && path.starts_with("/aws-service-role/") {
                self.principal.kind = PrincipalKind::ServiceLinkedRole;
            } else if kind == PrincipalKind::RoleSession && path.starts_with("/aws-reserved/") {
                self.principal.kind = PrincipalKind::SsoSession;
            }
        }
    }
}

impl PrincipalKind {
    /// What ARNs call the entity behind a caller; sessions are their role's.
    fn entity(self) -> Option<&'static str> {
        match self {
            Self::Root => Some("root"),
            Self::IamUser => Some("user"),
            Self::RoleSession | Self::SsoSession | Self::ServiceLinkedRole => Some("role"),
            Self::FederatedUser => Some("federated-user"),
            _ => None,
        }
    }
}

impl Principal {
    /// Nobody in particular.
    pub fn unknown() -> Self {
        Self {
            kind: PrincipalKind::Unknown,
            arn: None,
            account_id: None,
            name: None,
            unique_id: None,
            session_name: None,
        }
    }
}

/// The permission set that an Identity Center role was made for: `AWSReservedSSO_NAME_` and sixteen hexadecimal digits.
/// <https://docs.aws.amazon.com/singlesignon/latest/userguide/referencingpermissionsets.html>
pub fn permission_set(role: &str) -> Option<&str> {
    let (set, suffix) = role.strip_prefix("AWSReservedSSO_")?.rsplit_once('_')?;
    let legal = suffix.len() == 16 && suffix.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    (legal && !set.is_empty() && is_iam_name(set)).then_some(set)
}

/// What `AssumeRole` takes for a session's name.
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>
pub(crate) fn is_session_name(text: &str) -> bool {
    (2..=64).contains(&text.len()) && is_iam_name(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(json: &str) -> Caller {
        Caller::of(Some(&serde_json::from_str(json).unwrap()))
    }

    #[test]
    fn a_session_is_its_role_without_the_path() {
        let caller = caller(
            r#"{"type":"AssumedRole","principalId":"AROAEXAMPLE1:alice","arn":"arn:aws:sts::111122223333:assumed-role/reader/alice",
            "accountId":"111122223333","sessionContext":{"sessionIssuer":{"type":"Role","principalId":"AROAEXAMPLE1",
            "arn":"arn:aws:iam::111122223333:role/team/reader","accountId":"111122223333","userName":"reader"}}}"#,
        );
        assert_eq!(caller.principal.kind, PrincipalKind::RoleSession);
        assert_eq!(caller.principal.arn.as_deref(), Some("arn:aws:iam::111122223333:role/team/reader"));
        assert_eq!(caller.principal.name.as_deref(), Some("reader"));
        assert_eq!(caller.path.as_deref(), Some("/team/"));
        assert_eq!(caller.user_id().as_deref(), Some("AROAEXAMPLE1:alice"));
        assert!(caller.is_editable() && !caller.is_workload);
        assert!(!caller.is_contradicted_by("arn:aws:sts::111122223333:assumed-role/reader/alice"));
        assert!(!caller.is_contradicted_by("arn:aws:iam::111122223333:role/reader"));
        assert!(caller.is_contradicted_by("arn:aws:sts::111122223333:assumed-role/reader/mallory"));
        assert!(caller.is_contradicted_by("arn:aws:iam::111122223333:user/reader"));
        assert!(caller.is_contradicted_by("arn:aws:iam::444455556666:role/reader"));
        assert!(caller.is_contradicted_by("anonymous"));
    }

    #[test]
    fn the_path_tells_reserved_roles_not_the_name() {
        let kind = |path: &str, name: &str| {
            caller(&format!(
                r#"{{"type":"AssumedRole","arn":"arn:aws:sts::111122223333:assumed-role/{name}/s","sessionContext":{{"sessionIssuer":
                {{"type":"Role","arn":"arn:aws:iam::111122223333:role{path}{name}"}}}}}}"#
            ))
            .principal
            .kind
        };
        assert_eq!(
            kind("/aws-reserved/sso.amazonaws.com/eu-west-1/", "AWSReservedSSO_Ops_0123456789abcdef"),
            PrincipalKind::SsoSession
        );
        assert_eq!(
            kind("/aws-reserved/sso.amazonaws.com/", "AWSReservedSSO_Ops_0123456789abcdef"),
            PrincipalKind::SsoSession
        );
        assert_eq!(kind("/", "AWSReservedSSO_Ops_0123456789abcdef"), PrincipalKind::RoleSession);
        assert_eq!(
            kind("/aws-service-role/config.amazonaws.com/", "AWSServiceRoleForConfig"),
            PrincipalKind::ServiceLinkedRole
        );
    }

    #[test]
    fn odd_identities_are_never_editable() {
        for json in [
            "{}",
            r#"{"type":"Directory","accountId":"111122223333"}"#,
            r#"{"type":"IAMUser"}"#,
            r#"{"type":"IAMUser","userName":"alice"}"#,
            r#"{"type":"IAMUser","arn":"arn:aws:iam::111122223333:user/al*ce"}"#,
            r#"{"type":"AssumedRole","arn":"arn:aws:sts::111122223333:assumed-role/reader/alice"}"#,
            r#"{"type":"AWSAccount","arn":"arn:aws:iam::111122223333:user/alice"}"#,
            r#"{"type":"Unknown","arn":"arn:aws:iam::111122223333:user/alice"}"#,
        ] {
            assert!(!caller(json).is_editable(), "{json}");
        }
        assert!(!Caller::of(None).is_editable());
    }

    #[test]
    fn strangers_and_services() {
        let kind = |json| caller(json).principal.kind;
        assert_eq!(
            kind(r#"{"accountId":"111122223333","invokedBy":"config.amazonaws.com"}"#),
            PrincipalKind::AwsService
        );
        assert_eq!(
            kind(r#"{"type":"AWSAccount","principalId":"","accountId":"ANONYMOUS_PRINCIPAL"}"#),
            PrincipalKind::Anonymous
        );
        assert_eq!(
            kind(r#"{"type":"AWSAccount","principalId":"AIDAEXAMPLE1","accountId":"444455556666"}"#),
            PrincipalKind::AwsAccount
        );
        assert_eq!(kind(r#"{"type":"SAMLUser","userName":"a@example.com"}"#), PrincipalKind::SamlUser);
    }

    #[test]
    fn permission_sets_may_hold_underscores() {
        assert_eq!(permission_set("AWSReservedSSO_Log_Readers_0123456789abcdef"), Some("Log_Readers"));
        assert_eq!(permission_set("AWSReservedSSO_Ops_0123"), None);
        assert_eq!(permission_set("AWSReservedSSO__0123456789abcdef"), None);
    }
}
