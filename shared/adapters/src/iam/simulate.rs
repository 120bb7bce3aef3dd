//! The account's policy simulator: one call, asked with the values that the record gives.
//!
//! Decides which of its words are heard. With a list of resources the simulator answers for each of them apart; one is asked for,
//! and where its own result stands, that one counts.
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_EvaluationResult.html>. The role needs `iam:SimulatePrincipalPolicy`.

use access::simulation::{Answer, Question, Value, Verdict};
use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum, EvaluationResult, PolicyEvaluationDecisionType};

use super::{
    Refusal,
    aws::{AwsIam, refusal},
};

impl AwsIam {
    pub(super) async fn simulate(&self, question: &Question) -> Result<Verdict, Refusal> {
        let context = question.context.iter().map(|(key, value)| {
            let (kind, value) = match value {
                Value::Text(text) => (ContextKeyTypeEnum::String, text),
                Value::Time(time) => (ContextKeyTypeEnum::Date, time),
                Value::Address(address) => (ContextKeyTypeEnum::Ip, address),
            };
            ContextEntry::builder().context_key_name(*key).context_key_type(kind).context_key_values(value).build()
        });
        let answer = self
            .client()
            .await
            .simulate_principal_policy()
            .policy_source_arn(&question.principal_arn)
            .action_names(&question.action)
            .resource_arns(&question.resource)
            .set_context_entries(Some(context.collect()))
            .send()
            .await
            .map_err(|error| refusal(&error))?;
        // One action of one resource has one result; anything else is an answer to another question.
        Ok(match answer.evaluation_results() {
            [result] if result.eval_action_name == question.action => understood(result, &question.resource).verdict(),
            _ => Verdict::Unknown,
        })
    }
}

fn understood(result: &EvaluationResult, resource: &str) -> Answer {
    let own = result.resource_specific_results().iter().find(|own| own.eval_resource_name == resource);
    let boundary = own
        .and_then(|own| own.permissions_boundary_decision_detail.as_ref())
        .or(result.permissions_boundary_decision_detail.as_ref());
    let lacks = own.is_some_and(|own| !own.missing_context_values().is_empty());
    Answer {
        decision: match own.map_or(&result.eval_decision, |own| &own.eval_resource_decision) {
            PolicyEvaluationDecisionType::Allowed => Verdict::Allowed,
            PolicyEvaluationDecisionType::ImplicitDeny => Verdict::ImplicitDeny,
            PolicyEvaluationDecisionType::ExplicitDeny => Verdict::ExplicitDeny,
            _ => Verdict::Unknown,
        },
        by_organization: result.organizations_decision_detail.as_ref().map(|detail| detail.allowed_by_organizations),
        by_boundary: boundary.map(|detail| detail.allowed_by_permissions_boundary),
        lacks_values: lacks || !result.missing_context_values().is_empty(),
    }
}
