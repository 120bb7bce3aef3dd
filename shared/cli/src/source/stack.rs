//! A deployed stack: its settings in Systems Manager, its table, and the door that takes answers.
//!
//! All with the credentials of whoever runs this, who therefore needs what it needs: `ssm:GetParameter` on the stack's parameters and
//! `dynamodb:BatchGetItem` on its table. Answering needs no permission at all: who it was, STS says.

use std::time::{Instant, SystemTime};

use access::{
    answer::aws::{AwsAnswer, SignedAnswer, Wish},
    arn::Arn,
    diagnose::Setting,
    grant::GrantMode,
    guardrails::Guardrails,
};
use adapters::{
    http::{AwsError, is_private, post, sdk_config},
    parameters::{ParameterError, Parameters},
    store::{StoreError, dynamodb::DynamoStore},
    sts::{Caller, Sts},
};
use aws_credential_types::provider::ProvideCredentials;
use decide::{answer::Reply, authority::Authority};
use serde::Deserialize;

use super::{Failure, sign::signed};
use crate::{files::Subject, output::visible};

/// The shape of a stack's settings.
const SCHEMA: &str = "trailpass.stack/1";
/// The most of an answer that is read. Bytes.
const LONGEST_REPLY: usize = 64 * 1024;
/// What is signed to learn who signed. It is no answer: whoever gets hold of it can't use it as one.
const NO_ANSWER: &str = "trailpass.nobody-answers/1";

/// A stack, as its settings describe it.
#[derive(Debug)]
pub struct Stack {
    settings: Settings,
    region: String,
    setting: Setting,
    store: DynamoStore,
    parameters: Parameters,
}

/// What the template writes for this program.
#[derive(Debug, Deserialize)]
struct Settings {
    schema: String,
    stack: String,
    table: String,
    answers: String,
    grant_mode: String,
    approvers: String,
    approval_rules: String,
    /// What the functions keep to: without it somebody would be shown what is refused when it is asked for.
    #[serde(default)]
    guardrails: Guardrails,
}

impl Stack {
    /// Reads the settings of the stack of this name.
    pub async fn open(name: &str) -> Result<Self, Failure> {
        let is_name = name.len() <= 128 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !is_name || name.is_empty() {
            return Err(Failure::Usage("a stack's name has letters, digits and dashes".to_owned()));
        }
        let region = region().await?;
        let (parameters, parameter) = (Parameters::new(), format!("/trailpass/stacks/{name}"));
        let text = parameters.get(&parameter, Instant::now()).await.map_err(|why| match &why {
            ParameterError::Aws(AwsError::Refused(code)) if code.starts_with("ParameterNotFound") => {
                Failure::Failed(format!("there is no stack {name} in {}: no parameter {parameter}", visible(&region)))
            }
            ParameterError::Aws(AwsError::Denied(why)) => {
                Failure::Failed(format!("you need ssm:GetParameter on the parameter {parameter}: {}", visible(why)))
            }
            _ => Failure::Failed(format!("the stack's settings can't be read: {}", visible(&why.to_string()))),
        })?;
        let wrong =
            |what: String| Failure::Failed(format!("the parameter {parameter} can't be used: {}", visible(&what)));
        let (settings, setting) = Settings::read(&text).map_err(wrong)?;
        // Its own Region is what its answers have to be signed for.
        let region = Arn::parse(&settings.stack).map(|arn| arn.region.to_owned()).unwrap_or(region);
        let store = DynamoStore::new(settings.table.clone());
        Ok(Self { settings, region, setting, store, parameters })
    }

    /// What the stack may give.
    pub fn setting(&self) -> &Setting {
        &self.setting
    }

    /// Where it keeps everything.
    pub fn store(&self) -> &DynamoStore {
        &self.store
    }

    /// Why it could not be read, in words.
    pub fn unread(&self, why: &StoreError) -> String {
        let table = visible(&self.settings.table);
        match why {
            StoreError::Denied(why) => format!("you need dynamodb:BatchGetItem on the table {table}: {}", visible(why)),
            other => format!("the table {table} can't be read: {}", visible(&other.to_string())),
        }
    }

    /// Who may answer, and by which rules.
    pub async fn authority(&self) -> Authority {
        let named = |name: &str| Some(name.to_owned()).filter(|name| !name.is_empty());
        let read = async |name: String| {
            let text = self.parameters.get(&name, Instant::now()).await;
            text.map_err(|why| format!("{name}: {why} (reading it needs ssm:GetParameter)"))
        };
        let approvers = match named(&self.settings.approvers) {
            Some(name) => read(name).await,
            None => Err("approvers: no parameter is named, so that nobody may answer".to_owned()),
        };
        let rules = match named(&self.settings.approval_rules) {
            Some(name) => read(name).await.map(Some),
            None => Ok(None),
        };
        Authority::read(
            approvers.as_deref().map_err(Clone::clone),
            rules.as_ref().map(Option::as_deref).map_err(Clone::clone),
        )
    }

    /// Who runs this, as STS says it.
    pub async fn caller(&self) -> Result<Caller, Failure> {
        caller(&self.region).await
    }

    /// Signs an answer and sends it to the stack, which decides.
    pub async fn send(&self, subject: &Subject, wish: Wish) -> Result<Reply, Failure> {
        let Subject { case_id, opening } = subject.clone();
        let answer = AwsAnswer { stack: self.settings.stack.clone(), case_id, opening, wish };
        let text = answer.header().ok_or_else(|| Failure::Failed("this can't be answered".to_owned()))?;
        let body = serde_json::to_string(&signed_here(&text, &self.region).await?)
            .map_err(|why| Failure::Failed(why.to_string()))?;
        let headers = [("content-type", "application/json")];
        let (status, reply) = post(&self.settings.answers, &headers, &body, LONGEST_REPLY).await.map_err(|why| {
            Failure::Failed(format!("nobody knows whether it arrived: {}", visible(&why.to_string())))
        })?;
        serde_json::from_slice(&reply).map_err(|_| {
            let said = visible(String::from_utf8_lossy(&reply).trim());
            Failure::Failed(format!("the stack gave no answer of its own, but status {status}: {said}"))
        })
    }
}

/// Whose credentials these are, as STS of a Region says it.
pub async fn caller(region: &str) -> Result<Caller, Failure> {
    let signed = signed_here(NO_ANSWER, region).await?;
    let caller = Sts::new().caller(&signed, region).await;
    caller.map_err(|why| Failure::Failed(format!("who you are can't be told: {why}")))
}

async fn signed_here(text: &str, region: &str) -> Result<SignedAnswer, Failure> {
    let none = |why: String| Failure::Failed(format!("there are no AWS credentials: {}", visible(&why)));
    let provider =
        sdk_config().await.credentials_provider().ok_or_else(|| none("no source is configured".to_owned()))?;
    let credentials = provider.provide_credentials().await.map_err(|why| none(why.to_string()))?;
    signed(text, region, &credentials, SystemTime::now())
        .map_err(|why| Failure::Failed(format!("nothing could be signed: {}", visible(&why))))
}

/// The Region that is set where this runs.
pub async fn region() -> Result<String, Failure> {
    let region = sdk_config().await.region().map(ToString::to_string);
    region.ok_or_else(|| {
        Failure::Usage("no Region is set: say AWS_REGION=…, or configure one for your profile".to_owned())
    })
}

impl Settings {
    fn read(text: &str) -> Result<(Self, Setting), String> {
        let settings: Self = serde_json::from_str(text).map_err(|why| why.to_string())?;
        if settings.schema != SCHEMA {
            return Err(format!("schema: {:?} is not {SCHEMA:?}", settings.schema));
        }
        let is_stack = |arn: &Arn<'_>| arn.service == "cloudformation" && arn.resource.starts_with("stack/");
        if Arn::parse(&settings.stack).filter(is_stack).is_none() {
            return Err("stack: this is no stack's ARN".to_owned());
        }
        if !is_private(&settings.answers) {
            return Err("answers: expected an address that begins with https://".to_owned());
        }
        let mode: GrantMode = settings.grant_mode.parse()?;
        let guardrails = settings.guardrails.clone();
        Ok((settings, Setting { mode, guardrails }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_or_it_is_said_what_is_wrong_with_them() {
        let right = r#"{"schema":"trailpass.stack/1","stack":"arn:aws:cloudformation:eu-west-1:111122223333:stack/trailpass/1a2b",
            "table":"t","answers":"https://a.example/answers","grant_mode":"managed","approvers":"/a","approval_rules":"",
            "guardrails":{"protected":{"names":["root-*"]}}}"#;
        let (_, setting) = Settings::read(right).unwrap();
        assert_eq!(setting.guardrails.protected.names, ["root-*"]);
        for (from, to, expected) in [
            ("stack/1", "stack/2", "schema"),
            ("arn:aws:cloudformation", "arn:aws:iam", "stack"),
            ("https://a.example", "http://a.example", "answers"),
            ("managed", "all", "grant mode"),
            ("\"table\":\"t\",", "", "table"),
            ("\"names\"", "\"name\"", "name"),
        ] {
            let why = Settings::read(&right.replacen(from, to, 1)).expect_err(from);
            assert!(why.contains(expected), "{why}");
        }
        assert!(AwsAnswer::read(NO_ANSWER).is_none());
    }
}
