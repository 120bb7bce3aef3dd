//! A deployed stack, looked at part by part: what its resources are set to now, whatever the template said.
//!
//! Reads only, and decides nothing: what a setting means is for whoever asks. Every part is asked for apart, so that a permission that
//! the caller lacks hides one part and no other. Needs `cloudformation:ListStackResources`, `events:DescribeRule`,
//! `events:ListTargetsByRule`, `sqs:GetQueueAttributes`, `lambda:GetFunctionConfiguration`, `lambda:GetFunctionConcurrency`,
//! `lambda:ListEventSourceMappings`, `secretsmanager:DescribeSecret`, `sns:ListSubscriptionsByTopic` and `sns:GetSubscriptionAttributes`.

use std::collections::BTreeMap;

use aws_sdk_sqs::types::QueueAttributeName;

use crate::http::{AwsError, sdk_config, sort_error};

/// The clients, of the account and Region of the environment.
#[derive(Debug, Clone)]
pub struct Deployed {
    cloudformation: aws_sdk_cloudformation::Client,
    events: aws_sdk_eventbridge::Client,
    functions: aws_sdk_lambda::Client,
    queues: aws_sdk_sqs::Client,
    secrets: aws_sdk_secretsmanager::Client,
    topics: aws_sdk_sns::Client,
}

/// A resource of the stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Its name in the template.
    pub logical: String,
    /// `AWS::Lambda::Function`.
    pub kind: String,
    /// What its service knows it by.
    pub physical: String,
}

/// A rule of EventBridge.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rule {
    /// `ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS`, `ENABLED`, `DISABLED`.
    pub state: String,
    /// What it picks out, JSON; a rule of the clock has none.
    pub pattern: Option<String>,
    /// Where it brings it.
    pub targets: Vec<Target>,
}

/// A target of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The ARN.
    pub arn: String,
    /// Where what can't be delivered goes.
    pub dead_letters: Option<String>,
}

/// A function.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Function {
    /// `Active`, `Inactive`, `Pending`, `Failed`.
    pub state: String,
    /// `Successful`, `InProgress`, `Failed`.
    pub last_update: String,
    /// Its role's ARN.
    pub role: String,
    /// Its settings.
    pub settings: BTreeMap<String, String>,
    /// How many may run at once, where that is limited.
    pub reserved: Option<i32>,
    /// What wakes it: the source's ARN, and `Enabled` or another word.
    pub sources: Vec<(String, String)>,
}

/// A subscription of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// `email`, `https`, `lambda`.
    pub protocol: String,
    /// Where to.
    pub endpoint: String,
    /// Somebody has confirmed it.
    pub is_confirmed: bool,
    /// Only who is signed in can end it. `None`: nobody said.
    pub is_authenticated: Option<bool>,
}

impl Deployed {
    /// With the credentials and in the Region of the environment.
    pub async fn new() -> Self {
        let config = sdk_config().await;
        Self {
            cloudformation: aws_sdk_cloudformation::Client::new(config),
            events: aws_sdk_eventbridge::Client::new(config),
            functions: aws_sdk_lambda::Client::new(config),
            queues: aws_sdk_sqs::Client::new(config),
            secrets: aws_sdk_secretsmanager::Client::new(config),
            topics: aws_sdk_sns::Client::new(config),
        }
    }

    /// All resources of a stack.
    /// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ListStackResources.html>
    pub async fn resources(&self, stack: &str) -> Result<Vec<Resource>, AwsError> {
        let mut pages = self.cloudformation.list_stack_resources().stack_name(stack).into_paginator().items().send();
        let mut resources = Vec::new();
        while let Some(found) = pages.next().await {
            let found = found.map_err(|error| sort_error(&error))?;
            let text = |text: Option<String>| text.unwrap_or_default();
            resources.push(Resource {
                logical: text(found.logical_resource_id),
                kind: text(found.resource_type),
                physical: text(found.physical_resource_id),
            });
        }
        Ok(resources)
    }

    /// A rule of the default bus.
    /// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_DescribeRule.html>
    pub async fn rule(&self, name: &str) -> Result<Rule, AwsError> {
        let found = self.events.describe_rule().name(name).send().await.map_err(|error| sort_error(&error))?;
        let targets = self.events.list_targets_by_rule().rule(name).send().await.map_err(|error| sort_error(&error))?;
        let target = |target: aws_sdk_eventbridge::types::Target| Target {
            arn: target.arn,
            dead_letters: target.dead_letter_config.and_then(|queue| queue.arn),
        };
        Ok(Rule {
            state: found.state.map(|state| state.as_str().to_owned()).unwrap_or_default(),
            pattern: found.event_pattern,
            targets: targets.targets.unwrap_or_default().into_iter().map(target).collect(),
        })
    }

    /// A queue's attributes, by their names.
    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html>
    pub async fn queue(&self, url: &str) -> Result<BTreeMap<String, String>, AwsError> {
        let asked = self.queues.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::All);
        let found = asked.send().await.map_err(|error| sort_error(&error))?;
        let attributes = found.attributes.unwrap_or_default();
        Ok(attributes.into_iter().map(|(name, value)| (name.as_str().to_owned(), value)).collect())
    }

    /// A function, and what wakes it.
    /// <https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionConfiguration.html>
    pub async fn function(&self, name: &str) -> Result<Function, AwsError> {
        let asked = self.functions.get_function_configuration().function_name(name).send().await;
        let found = asked.map_err(|error| sort_error(&error))?;
        let limit = self.functions.get_function_concurrency().function_name(name).send().await;
        let sources = self.functions.list_event_source_mappings().function_name(name).send().await;
        let sources = sources.map_err(|error| sort_error(&error))?.event_source_mappings.unwrap_or_default();
        Ok(Function {
            state: found.state.map(|state| state.as_str().to_owned()).unwrap_or_default(),
            last_update: found.last_update_status.map(|status| status.as_str().to_owned()).unwrap_or_default(),
            role: found.role.unwrap_or_default(),
            settings: found.environment.and_then(|its| its.variables).unwrap_or_default().into_iter().collect(),
            reserved: limit.map_err(|error| sort_error(&error))?.reserved_concurrent_executions,
            sources: sources
                .into_iter()
                .map(|source| (source.event_source_arn.unwrap_or_default(), source.state.unwrap_or_default()))
                .collect(),
        })
    }

    /// Whether a secret is there and is not to be deleted. What is in it is not read.
    /// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DescribeSecret.html>
    pub async fn has_secret(&self, name: &str) -> Result<bool, AwsError> {
        match self.secrets.describe_secret().secret_id(name).send().await {
            Ok(found) => Ok(found.deleted_date.is_none()),
            Err(error) => match sort_error(&error) {
                AwsError::Refused(why) if why.starts_with("ResourceNotFoundException") => Ok(false),
                why => Err(why),
            },
        }
    }

    /// Who has subscribed to a topic.
    /// <https://docs.aws.amazon.com/sns/latest/api/API_ListSubscriptionsByTopic.html>
    pub async fn subscriptions(&self, topic_arn: &str) -> Result<Vec<Subscription>, AwsError> {
        let mut pages = self.topics.list_subscriptions_by_topic().topic_arn(topic_arn).into_paginator().items().send();
        let mut subscriptions = Vec::new();
        while let Some(found) = pages.next().await {
            let found = found.map_err(|error| sort_error(&error))?;
            let arn = found.subscription_arn.unwrap_or_default();
            // An id stands in the ARN's place until somebody has confirmed.
            let is_confirmed = arn.starts_with("arn:");
            let is_authenticated = if is_confirmed { self.is_authenticated(&arn).await? } else { None };
            subscriptions.push(Subscription {
                protocol: found.protocol.unwrap_or_default(),
                endpoint: found.endpoint.unwrap_or_default(),
                is_confirmed,
                is_authenticated,
            });
        }
        Ok(subscriptions)
    }

    /// <https://docs.aws.amazon.com/sns/latest/api/API_GetSubscriptionAttributes.html>
    async fn is_authenticated(&self, arn: &str) -> Result<Option<bool>, AwsError> {
        let asked = self.topics.get_subscription_attributes().subscription_arn(arn).send().await;
        let found = asked.map_err(|error| sort_error(&error))?;
        let attributes = found.attributes.unwrap_or_default();
        Ok(attributes.get("ConfirmationWasAuthenticated").map(|word| word == "true"))
    }
}
