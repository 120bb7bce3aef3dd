//! Whether `userIdentity` says alike, in each of its places, who called.
//!
//! AWS writes ARN, account, name, unique id, session and issuer from one caller. A record in which they differ was not written so,
//! and whoever is named in one of its places must not be given what another place was refused.

use crate::{arn::Arn, event::UserIdentity};

/// Whether a user's or a role session's facts agree, as far as they are given. AWS writes them all from one; where they differ,
/// nobody can say who called, and so nobody is given anything.
pub(super) fn agrees(identity: &UserIdentity, arn: Option<&Arn>) -> bool {
    let is_same = |one: Option<&str>, other: Option<&str>| one.is_none() || other.is_none() || one == other;
    let account = identity.account_id.as_deref();
    let in_account = |arn: &Arn| is_same(Some(arn.account), account);
    let (id, session_of_id) = match identity.principal_id.as_deref().map(|id| id.split_once(':').unwrap_or((id, ""))) {
        Some((id, session)) => (Some(id), Some(session).filter(|session| !session.is_empty())),
        None => (None, None),
    };
    match identity.kind.as_deref() {
        Some("IAMUser") => {
            let is_user = arn.is_none_or(|arn| {
                arn.service == "iam"
                    && in_account(arn)
                    && arn.entity().is_some_and(|(kind, _, name)| {
                        kind == "user" && is_same(Some(name), identity.user_name.as_deref())
                    })
            });
            is_user && id.is_none_or(|id| id.starts_with("AIDA"))
        }
        Some("AssumedRole" | "Role") => {
            let mut session = arn.into_iter().flat_map(|arn| arn.resource.splitn(3, '/'));
            let (kind, role, session) = (session.next(), session.next(), session.next());
            let is_session =
                arn.is_none_or(|arn| arn.service == "sts" && in_account(arn) && kind == Some("assumed-role"));
            let issuer = identity.session_context.as_ref().and_then(|context| context.session_issuer.as_ref());
            let is_issuer = issuer.is_none_or(|issuer| {
                let its = issuer.arn.as_deref().and_then(Arn::parse);
                let its_role = its.as_ref().and_then(Arn::entity);
                is_same(issuer.kind.as_deref(), Some("Role"))
                    && is_same(issuer.account_id.as_deref(), account)
                    && is_same(issuer.principal_id.as_deref(), id)
                    && is_same(issuer.user_name.as_deref(), role)
                    && its.as_ref().is_none_or(|its| {
                        in_account(its)
                            && arn.is_none_or(|arn| (arn.partition, arn.account) == (its.partition, its.account))
                    })
                    && its_role.is_none_or(|(kind, _, name)| kind == "role" && is_same(role, Some(name)))
            });
            is_session && is_issuer && is_same(session_of_id, session) && id.is_none_or(|id| id.starts_with("AROA"))
        }
        _ => true,
    }
}
