//! The account's own IAM.
//!
//! Calls go by name, and a name may be another's tomorrow: whoever changes something compares the unique id that a look gives.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids>
//!
//! The role needs `iam:GetUser`, `iam:GetRole`, `iam:ListAttached{User,Role}Policies`, `iam:ListEntitiesForPolicy`,
//! `iam:Attach{User,Role}Policy`, `iam:Detach{User,Role}Policy` and `iam:GetAccountSummary`; for inline policies besides
//! `iam:List{User,Role}Policies` and `iam:{Get,Put,Delete}{User,Role}Policy`.

use std::collections::{BTreeMap, BTreeSet};

use access::reconcile::{Change, Entity, Holder};
use aws_config::SdkConfig;
use aws_sdk_iam::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::RequestId,
    types::{AttachedPermissionsBoundary, PolicyUsageType, SummaryKeyType},
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use tokio::sync::OnceCell;

use super::{ATTACHABLE, Changed, Holders, Look, Refusal};
use crate::http::{AwsError, bounded, sdk_config, sort_error};

/// The account's IAM. Nothing is connected, and no credentials are looked for, before the first call.
#[derive(Debug, Default)]
pub struct AwsIam {
    client: OnceCell<Client>,
}

impl AwsIam {
    /// With the environment's configuration.
    pub fn new() -> Self {
        Self::default()
    }

    /// With a configuration made by hand.
    pub fn with_config(config: &SdkConfig) -> Self {
        Self { client: OnceCell::new_with(Some(Client::new(config))) }
    }

    pub(super) async fn client(&self) -> &Client {
        self.client.get_or_init(async || Client::new(sdk_config().await)).await
    }

    pub(super) async fn look(&self, holder: &Holder, look: Look<'_>) -> Result<Option<Entity>, Refusal> {
        let found = match self.entity(holder).await {
            Err(Refusal::Gone(_)) => return Ok(None),
            found => found,
        };
        let mut entity = found?;
        let filled = match look {
            Look::Attached => self.attached(holder, &mut entity).await,
            Look::Inline(name) => self.inline(holder, &[name.to_owned()], &mut entity).await,
            Look::AllInline => match self.inline_names(holder).await {
                Ok(names) => self.inline(holder, &names, &mut entity).await,
                Err(refusal) => Err(refusal),
            },
        };
        match filled {
            Ok(()) => Ok(Some(entity)),
            // Deleted between two calls.
            Err(Refusal::Gone(_)) => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }

    async fn entity(&self, holder: &Holder) -> Result<Entity, Refusal> {
        let client = self.client().await;
        let (id, path, boundary) = match holder {
            Holder::User(name) => {
                let user = client.get_user().user_name(name).send().await.map_err(|e| refusal(&e))?.user;
                let user = user.ok_or_else(|| Refusal::Passing("an answer without a user".to_owned()))?;
                (user.user_id, user.path, user.permissions_boundary)
            }
            Holder::Role(name) => {
                let role = client.get_role().role_name(name).send().await.map_err(|e| refusal(&e))?.role;
                let role = role.ok_or_else(|| Refusal::Passing("an answer without a role".to_owned()))?;
                (role.role_id, role.path, role.permissions_boundary)
            }
        };
        let boundary = boundary.and_then(|boundary: AttachedPermissionsBoundary| boundary.permissions_boundary_arn);
        Ok(Entity { id, path, boundary, attachable: ATTACHABLE, ..Entity::default() })
    }

    async fn attached(&self, holder: &Holder, entity: &mut Entity) -> Result<(), Refusal> {
        let client = self.client().await;
        let mut attached = BTreeSet::new();
        match holder {
            Holder::User(name) => {
                let mut pages = client.list_attached_user_policies().user_name(name).into_paginator().items().send();
                while let Some(policy) = pages.next().await {
                    attached.extend(policy.map_err(|e| refusal(&e))?.policy_arn);
                }
            }
            Holder::Role(name) => {
                let mut pages = client.list_attached_role_policies().role_name(name).into_paginator().items().send();
                while let Some(policy) = pages.next().await {
                    attached.extend(policy.map_err(|e| refusal(&e))?.policy_arn);
                }
            }
        }
        // The account's own quota is only of interest to whoever has reached the usual one.
        if attached.len() >= ATTACHABLE {
            entity.attachable = self.quota(holder).await?;
        }
        entity.attached = attached;
        Ok(())
    }

    async fn quota(&self, holder: &Holder) -> Result<usize, Refusal> {
        let key = match holder {
            Holder::User(_) => SummaryKeyType::AttachedPoliciesPerUserQuota,
            Holder::Role(_) => SummaryKeyType::AttachedPoliciesPerRoleQuota,
        };
        let summary = self.client().await.get_account_summary().send().await.map_err(|e| refusal(&e))?;
        let quota = summary.summary_map().and_then(|map| map.get(&key)).copied();
        Ok(quota.and_then(|quota| usize::try_from(quota).ok()).unwrap_or(ATTACHABLE))
    }

    async fn inline_names(&self, holder: &Holder) -> Result<Vec<String>, Refusal> {
        let client = self.client().await;
        let mut names = Vec::new();
        match holder {
            Holder::User(name) => {
                let mut pages = client.list_user_policies().user_name(name).into_paginator().items().send();
                while let Some(name) = pages.next().await {
                    names.push(name.map_err(|e| refusal(&e))?);
                }
            }
            Holder::Role(name) => {
                let mut pages = client.list_role_policies().role_name(name).into_paginator().items().send();
                while let Some(name) = pages.next().await {
                    names.push(name.map_err(|e| refusal(&e))?);
                }
            }
        }
        Ok(names)
    }

    async fn inline(&self, holder: &Holder, names: &[String], entity: &mut Entity) -> Result<(), Refusal> {
        let mut inline = BTreeMap::new();
        for policy in names {
            match self.document(holder, policy).await {
                Ok(document) => drop(inline.insert(policy.clone(), decoded(&document))),
                // It is this policy that is not there; of the holder we know already.
                Err(Refusal::Gone(_)) => {}
                Err(refusal) => return Err(refusal),
            }
        }
        entity.inline = inline;
        Ok(())
    }

    async fn document(&self, holder: &Holder, policy: &str) -> Result<String, Refusal> {
        let client = self.client().await;
        match holder {
            Holder::User(name) => {
                let found = client.get_user_policy().user_name(name).policy_name(policy).send().await;
                found.map(|found| found.policy_document).map_err(|e| refusal(&e))
            }
            Holder::Role(name) => {
                let found = client.get_role_policy().role_name(name).policy_name(policy).send().await;
                found.map(|found| found.policy_document).map_err(|e| refusal(&e))
            }
        }
    }

    pub(super) async fn change(&self, change: &Change) -> Changed {
        let client = self.client().await;
        match change {
            Change::Attach(Holder::User(name), arn) => {
                changed(client.attach_user_policy().user_name(name).policy_arn(arn).send().await)
            }
            Change::Attach(Holder::Role(name), arn) => {
                changed(client.attach_role_policy().role_name(name).policy_arn(arn).send().await)
            }
            Change::Detach(Holder::User(name), arn) => {
                changed(client.detach_user_policy().user_name(name).policy_arn(arn).send().await)
            }
            Change::Detach(Holder::Role(name), arn) => {
                changed(client.detach_role_policy().role_name(name).policy_arn(arn).send().await)
            }
            Change::Put(Holder::User(name), policy, document) => {
                let put = client.put_user_policy().user_name(name).policy_name(policy).policy_document(document);
                changed(put.send().await)
            }
            Change::Put(Holder::Role(name), policy, document) => {
                let put = client.put_role_policy().role_name(name).policy_name(policy).policy_document(document);
                changed(put.send().await)
            }
            Change::Delete(Holder::User(name), policy) => {
                changed(client.delete_user_policy().user_name(name).policy_name(policy).send().await)
            }
            Change::Delete(Holder::Role(name), policy) => {
                changed(client.delete_role_policy().role_name(name).policy_name(policy).send().await)
            }
        }
    }

    /// Only as a permissions policy: whoever has it as a boundary holds nothing by it.
    pub(super) async fn holders_of(&self, policy_arn: &str) -> Result<Holders, Refusal> {
        let request = self.client().await.list_entities_for_policy().policy_arn(policy_arn);
        let mut pages = request.policy_usage_filter(PolicyUsageType::PermissionsPolicy).into_paginator().send();
        let mut holders = Holders::default();
        while let Some(page) = pages.next().await {
            let page = match page.map_err(|e| refusal(&e)) {
                Err(Refusal::Gone(_)) => return Ok(Holders::default()),
                page => page?,
            };
            let users = page.policy_users.into_iter().flatten();
            let users = users.filter_map(|user| Some((Holder::User(user.user_name?), user.user_id?)));
            let roles = page.policy_roles.into_iter().flatten();
            let roles = roles.filter_map(|role| Some((Holder::Role(role.role_name?), role.role_id?)));
            holders.entities.extend(users.chain(roles));
            holders.groups.extend(page.policy_groups.into_iter().flatten().filter_map(|group| group.group_name));
        }
        Ok(holders)
    }
}

fn changed<O: RequestId, E>(answer: Result<O, SdkError<E, HttpResponse>>) -> Changed
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    SdkError<E, HttpResponse>: RequestId,
{
    match answer {
        Ok(output) => {
            Changed { result: Ok(()), request_id: output.request_id().map(str::to_owned), is_rehearsed: false }
        }
        Err(error) => Changed {
            request_id: error.request_id().map(str::to_owned),
            result: Err(refusal(&error)),
            is_rehearsed: false,
        },
    }
}

/// IAM's own codes, beside those that all of AWS shares. It says that a thing is locked or being changed with status 409,
/// [which passes](https://docs.aws.amazon.com/IAM/latest/APIReference/API_AttachUserPolicy.html#API_AttachUserPolicy_Errors).
pub(super) fn refusal<E>(error: &SdkError<E, HttpResponse>) -> Refusal
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    const PASSING: [&str; 4] = [
        "ConcurrentModification",
        "ConcurrentModificationException",
        "EntityTemporarilyUnmodifiable",
        "EntityTemporarilyUnmodifiableException",
    ];
    let refused = match error {
        SdkError::ServiceError(refused) => Some(refused.err()),
        _ => None,
    };
    let text = |refused: &E| {
        bounded(&format!("{}: {}", refused.code().unwrap_or_default(), refused.message().unwrap_or_default()))
    };
    match (refused, refused.and_then(ProvideErrorMetadata::code)) {
        (Some(refused), Some("NoSuchEntity" | "NoSuchEntityException")) => Refusal::Gone(text(refused)),
        (Some(refused), Some(code)) if PASSING.contains(&code) => Refusal::Passing(text(refused)),
        _ => match sort_error(error) {
            AwsError::Unavailable(why) => Refusal::Passing(why),
            AwsError::Denied(why) => Refusal::Denied(why),
            AwsError::Refused(why) => Refusal::Lasting(why),
        },
    }
}

/// IAM gives a policy's document [percent-encoded](https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetUserPolicy.html), as
/// RFC 3986 has it, where `+` is a plus.
fn decoded(document: &str) -> String {
    let mut bytes = Vec::with_capacity(document.len());
    let mut rest = document.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let coded = match (first, after) {
            (b'%', [high, low, beyond @ ..]) => hex(*high).zip(hex(*low)).map(|(high, low)| (high << 4 | low, beyond)),
            _ => None,
        };
        let (byte, left) = coded.unwrap_or((*first, after));
        bytes.push(byte);
        rest = left;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::decoded;

    #[test]
    fn documents_are_decoded() {
        assert_eq!(decoded("%7B%22a%22%3A%20%22b%2Bc+d%25%22%7d"), r#"{"a": "b+c+d%"}"#);
        assert_eq!(decoded("{\"plain\":\"100%\"}"), "{\"plain\":\"100%\"}");
        assert_eq!(decoded("%C3%A9%2"), "é%2");
    }
}
