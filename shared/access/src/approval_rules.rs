//! Approval rules: whether this person may give this answer about this remedy. Written as Cedar policies, so that operators
//! state their own rules without a new build, and so that what they state is checked before it counts.
//!
//! Two sets are always evaluated together: the operator's (or the default one), which permits, and the compiled-in forbids,
//! which no permit outweighs. An operator's policy can't take a forbid's place, because each set's policies are named apart
//! (`operator/…`, `built-in/…`). What can't be decided is denied: a set that doesn't validate, an entity that is missing, and
//! any policy that errors. Cedar itself skips a policy that errors, and would so let a broken forbid pass.
//! Language: <https://docs.cedarpolicy.com/policies/syntax-policy.html>, its validation:
//! <https://docs.cedarpolicy.com/policies/validation.html>

use std::{collections::BTreeSet, fmt};

use cedar_policy::{
    Authorizer, Decision, Policy, PolicyId, PolicySet, Schema, ValidationMode, Validator, ffi::DetailedError,
};
use sha2::{Digest, Sha256};

use crate::{
    approver::{Approver, Approvers},
    framing::framed,
    grant::hex,
};

pub use request::{AnswerKind, Matter, RemedyFacts, Request, Who};

#[cfg(test)]
mod mutations;
mod request;

const SCHEMA: &str = include_str!("../data/approval/schema.cedarschema");
const DEFAULT: &str = include_str!("../data/approval/default.cedar");
const FORBIDS: &str = include_str!("../data/approval/forbids.cedar");

/// The longest set of an operator's that is read. Bytes.
const LONGEST: usize = 64 * 1024;
/// How deep a policy may nest, and how many words and signs it may have. Cedar's parser calls itself for each level and for each
/// link of a chain: some fifty brackets, or ten thousand `+`, are too many for the two megabytes of a thread's stack.
const DEEPEST: usize = 16;
const MOST_TOKENS: usize = 2_000;
/// How many faults of a set are told: the first ones are what somebody mends.
const TOLD: usize = 20;

/// A set of rules with the forbids, or the state in which there is none that can be used.
#[derive(Debug, Clone)]
pub struct ApprovalRules {
    state: Result<Engine, RulesError>,
    hash: String,
}

#[derive(Debug, Clone)]
struct Engine {
    schema: Schema,
    policies: PolicySet,
}

/// Why a set can't be used: each fault with the set and the policy or the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RulesError {
    /// What is wrong, one sentence each.
    pub faults: Vec<String>,
}

impl RulesError {
    /// One fault that was found elsewhere: a set that could not be fetched, say.
    pub fn of(fault: impl fmt::Display) -> Self {
        Self { faults: vec![fault.to_string()] }
    }
}

impl fmt::Display for RulesError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "approval rules: {}", self.faults.join("; "))
    }
}

impl std::error::Error for RulesError {}

/// What the rules say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the answer may be given.
    pub allowed: bool,
    /// Why: the policies that decided, in words and by name; first of all whatever went wrong.
    pub because: Vec<String>,
    /// Something went wrong, so that the rules could not decide: the operators have to be told, not only the person.
    pub faulty: bool,
}

impl Verdict {
    fn faulty(because: String) -> Self {
        Self { allowed: false, because: vec![because], faulty: true }
    }
}

impl ApprovalRules {
    /// Reads an operator's set, or takes the default one, together with the forbids.
    pub fn parse(operator_set: Option<&str>) -> Result<Self, RulesError> {
        match operator_set {
            Some(text) => Self::assemble("operator", text, FORBIDS),
            None => Self::assemble("default", DEFAULT, FORBIDS),
        }
    }

    /// The state of having no set that can be used: nothing is allowed, and each verdict says why.
    pub fn broken(error: RulesError) -> Self {
        let hash = digest(&["broken", &error.to_string()]);
        Self { state: Err(error), hash }
    }

    /// Names these rules: SHA-256, in hexadecimal digits, of the schema, the set and the forbids.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Whether this person may give this answer.
    pub fn decide(&self, request: &Request) -> Verdict {
        if request.answer == AnswerKind::Revoke {
            return may_revoke(request.who);
        }
        match &self.state {
            Ok(engine) => engine.decide(request),
            Err(error) => Verdict::faulty(format!("nothing is allowed until this is mended: {error}")),
        }
    }

    /// What the rules would say to each approver.
    pub fn who_could<'a>(&self, approvers: &'a Approvers, matter: &Matter) -> Vec<(&'a Approver, Verdict)> {
        let verdict = |approver| (approver, self.decide(&matter.asked_by(Who::Listed(approver))));
        approvers.iter().map(verdict).collect()
    }

    /// The forbids are a parameter only so that tests can show what each of them is for.
    fn assemble(kind: &str, set: &str, forbids: &str) -> Result<Self, RulesError> {
        let (schema, _) =
            Schema::from_cedarschema_str(SCHEMA).map_err(|e| RulesError::of(format!("schema: {}", in_words(&e))))?;
        let validator = Validator::new(schema.clone());
        let policies = read(&validator, kind, set)?.into_iter().chain(read(&validator, "built-in", forbids)?);
        let policies = PolicySet::from_policies(policies).map_err(RulesError::of)?;
        Ok(Self { state: Ok(Engine { schema, policies }), hash: digest(&[SCHEMA, set, forbids]) })
    }
}

/// Whether this person may end a grant early. That only ever lessens what somebody holds, and may be what an incident hangs on: so
/// every listed approver may, whoever was denied, whatever has become of the case, and however broken the rules are. No set of
/// rules is asked, and none can speak of it.
pub fn may_revoke(who: Who<'_>) -> Verdict {
    let (allowed, because) = match who {
        Who::Listed(_) => (true, "a listed approver may end a grant early"),
        Who::Unlisted(_) => (false, "only an approver whom the approvers' file lists can answer"),
    };
    Verdict { allowed, because: vec![because.to_owned()], faulty: false }
}

impl Engine {
    fn decide(&self, request: &Request) -> Verdict {
        let (request, entities) = match request.to_cedar(&self.schema) {
            Ok(asked) => asked,
            Err(fault) => return Verdict::faulty(format!("the request could not be put to the rules: {fault}")),
        };
        let response = Authorizer::new().is_authorized(&request, &self.policies, &entities);
        let errors =
            response.diagnostics().errors().map(|e| format!("a rule failed, so nothing is allowed: {}", in_words(e)));
        let mut because: Vec<String> = errors.collect();
        because.sort();
        let faulty = !because.is_empty();
        // Sorted by name: Cedar gives them in no order.
        let deciding: BTreeSet<&PolicyId> = response.diagnostics().reason().collect();
        because.extend(deciding.into_iter().map(|id| match self.policies.annotation(id, "because") {
            Some(words) if !words.is_empty() => format!("{words} ({id})"),
            _ => format!("the rule {id} says so"),
        }));
        if because.is_empty() {
            because.push("no rule allows it".to_owned());
        }
        Verdict { allowed: response.decision() == Decision::Allow && !faulty, because, faulty }
    }
}

/// The policies of one text, each named after its set, or everything that is wrong with them.
fn read(validator: &Validator, kind: &str, text: &str) -> Result<Vec<Policy>, RulesError> {
    if text.len() > LONGEST {
        return Err(RulesError::of(format!("{kind}: {} bytes are more than {LONGEST}", text.len())));
    }
    check_shape(text).map_err(|fault| RulesError::of(format!("{kind}: {fault}")))?;
    let set: PolicySet = text.parse().map_err(|errors: cedar_policy::ParseErrors| {
        RulesError::told(errors.iter().map(|e| format!("{kind}: {}", located(&e.into(), text))))
    })?;
    let templates: Vec<_> = set.templates().map(|t| format!("{kind}/{}: a template decides nothing", t.id())).collect();
    if !templates.is_empty() {
        return Err(RulesError::told(templates.into_iter()));
    }
    if set.is_empty() {
        return Err(RulesError::of(format!("{kind}: no rule in it, so that nothing could ever be allowed")));
    }
    // Warnings count: a rule that can never apply, or letters that look like others, are not what somebody meant to write.
    let result = validator.validate(&set, ValidationMode::Strict);
    let name = |id: &PolicyId| format!("{kind}/{}", set.annotation(id, "id").unwrap_or(id.as_ref()));
    let errors = result.validation_errors().map(|e| format!("{}: {}", name(e.policy_id()), located(&e.into(), text)));
    let warnings =
        result.validation_warnings().map(|w| format!("{}: {}", name(w.policy_id()), located(&w.into(), text)));
    let faults: Vec<String> = errors.chain(warnings).collect();
    if !faults.is_empty() {
        return Err(RulesError::told(faults.into_iter()));
    }
    let mut names = BTreeSet::new();
    let mut policies = Vec::new();
    for policy in set.policies() {
        let name = name(policy.id());
        let is_word = |id: &str| {
            (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        };
        if !policy.annotation("id").is_none_or(is_word) {
            return Err(RulesError::of(format!(
                "{name:?}: an id has 1 to 64 letters, digits, dots, dashes and underscores"
            )));
        }
        if !names.insert(name.clone()) {
            return Err(RulesError::of(format!("{name}: two rules have this id")));
        }
        policies.push(policy.new_id(PolicyId::new(name)));
    }
    Ok(policies)
}

impl RulesError {
    fn told(faults: impl Iterator<Item = String>) -> Self {
        Self { faults: faults.take(TOLD).collect() }
    }
}

/// Whether no policy is too deep or too long to be parsed, going by whatever is neither a string nor a comment.
fn check_shape(text: &str) -> Result<(), String> {
    let (mut open, mut ifs, mut tokens) = (0_usize, 0_usize, 0_usize);
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let length = match first {
            '"' => string_length(rest),
            '/' if rest.starts_with("//") => rest.find(['\n', '\r']).unwrap_or(rest.len()),
            _ if is_word(first) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        match token {
            "(" | "[" | "{" => open += 1,
            ")" | "]" | "}" => open = open.saturating_sub(1),
            "if" => ifs += 1,
            ";" => (open, ifs, tokens) = (0, 0, 0),
            _ => {}
        }
        tokens += usize::from(!first.is_whitespace());
        if open + ifs > DEEPEST {
            return Err(format!("a rule nests brackets and `if`s more than {DEEPEST} deep"));
        }
        if tokens > MOST_TOKENS {
            return Err(format!("a rule has more than {MOST_TOKENS} words and signs"));
        }
        rest = after;
    }
    Ok(())
}

/// The length of the string literal that a text begins with, its quotes included.
fn string_length(text: &str) -> usize {
    let mut is_escaped = false;
    let end = text.char_indices().skip(1).find(|(_, c)| {
        let is_end = *c == '"' && !is_escaped;
        is_escaped = *c == '\\' && !is_escaped;
        is_end
    });
    end.map_or(text.len(), |(at, _)| at + 1)
}

/// An error with the line that it is about, if Cedar says where.
fn located(error: &DetailedError, text: &str) -> String {
    let start = error.source_locations.first().map(|label| label.loc.start);
    let line = start.and_then(|start| text.as_bytes().get(..start)).map(|before| {
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        format!("line {line}: ")
    });
    let help = error.help.as_deref().map(|help| format!(" ({help})"));
    format!("{}{}{}", line.unwrap_or_default(), error.message, help.unwrap_or_default())
}

/// An error with all its causes.
fn in_words(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |words, cause| format!("{words}: {cause}"))
}

fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    framed(parts.iter().copied().map(Some), |bytes| hash.update(bytes));
    hex(&hash.finalize())
}
