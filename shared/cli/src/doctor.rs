//! `trailpass doctor`: everything without which a deployed responder is blind or mute, each with what mends it.
//!
//! Reads, and judges what it has read: reading stands here, judging in a file for each question. What can't be looked at is said to be
//! unknown and never to be in order, and hides nothing else.

mod finding;
mod hearing;
mod powers;
mod telling;
mod working;

use std::{
    collections::BTreeMap,
    process::ExitCode,
    time::{Duration, Instant},
};

use access::{
    arn::Arn,
    triage::{self, HourFile},
};
use adapters::{
    cloudtrail::CloudTrail,
    deployed::{Deployed, Function, Resource},
    http::AwsError,
    iam::{AwsIam, Iam, Refusal},
    secrets::Secrets,
    slack::{self, Slack},
    store::Store,
};
use serde_json::json;

use self::finding::{Finding, State};
use crate::{
    args::{Doctor, Shape},
    output::{self, json_line, visible},
    source::{self, Failure, stack::Stack},
    table::table,
};

/// How far back cases are looked for. Hours.
const LOOKED_BACK: i64 = 24;
/// What one message to Slack may take.
const SLACK: Duration = Duration::from_secs(10);

/// Runs the command.
pub fn run(arguments: &Doctor) -> ExitCode {
    source::run(async {
        let found = look(arguments).await?;
        tell(arguments.format, &found).map_err(|why| Failure::Failed(why.to_string()))?;
        let is_in_order = found.iter().all(|finding| finding.state <= State::Warning);
        Ok(if is_in_order { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}

/// Looks at everything.
async fn look(arguments: &Doctor) -> Result<Vec<Finding>, Failure> {
    let stack = Stack::open(&arguments.stack).await?;
    let deployed = Deployed::new().await;
    let resources = deployed.resources(&arguments.stack).await.map_err(|why| {
        Failure::Failed(format!("the stack's resources can't be listed: {}", visible(&why.to_string())))
    })?;
    let mut found = vec![match CloudTrail::of(None).await.trails().await {
        Ok(trails) => hearing::trails(&trails),
        Err(why) => Finding::unknown("trail", "trail", &why),
    }];
    let of = |kind: &'static str| resources.iter().filter(move |resource| resource.kind == kind);
    for resource in of("AWS::Events::Rule") {
        each(&mut found, "rule", resource, deployed.rule(&resource.physical).await, hearing::rule);
    }
    for resource in of("AWS::SQS::Queue") {
        each(&mut found, "queue", resource, deployed.queue(&resource.physical).await, hearing::queue);
    }
    let mut functions: BTreeMap<&str, Function> = BTreeMap::new();
    for resource in of("AWS::Lambda::Function") {
        let function = deployed.function(&resource.physical).await;
        if let Ok(function) = &function {
            functions.insert(&resource.logical, function.clone());
        }
        each(&mut found, "function", resource, function, working::function);
    }
    let settings = functions.get("Triage").map(|function| &function.settings);
    let setting = |name: &str| settings.and_then(|all| all.get(name)).filter(|value| !value.is_empty());
    if settings.is_some() {
        found.push(working::guardrails(setting("TRAILPASS_GUARDRAILS")));
    }
    if functions.contains_key("Decide") {
        found.extend(working::authority(&stack.authority().await));
    }
    for resource in of("AWS::SNS::Topic") {
        let is_in_slack = match resource.logical.as_str() {
            "AlarmsTopic" => ["TRAILPASS_SLACK_ALARMS_CHANNEL", "TRAILPASS_SLACK_ALARMS_WEBHOOK_SECRET"],
            _ => ["TRAILPASS_SLACK_NOTICES_CHANNEL", "TRAILPASS_SLACK_NOTICES_WEBHOOK_SECRET"],
        };
        let is_in_slack = is_in_slack.iter().any(|name| setting(name).is_some());
        let subscriptions = deployed.subscriptions(&resource.physical).await;
        let judge = |name: &str, all: &Vec<_>| telling::topic(name, all, is_in_slack);
        each(&mut found, "topic", resource, subscriptions, judge);
    }
    let mut secrets: Vec<&String> = functions
        .values()
        .flat_map(|function| &function.settings)
        .filter(|(name, value)| name.ends_with("_SECRET") && !value.is_empty())
        .map(|(_, value)| value)
        .collect();
    secrets.sort();
    secrets.dedup();
    for name in secrets {
        let secret = Resource { logical: name.clone(), kind: String::new(), physical: name.clone() };
        each(&mut found, "secret", &secret, deployed.has_secret(name).await, working::secret);
    }
    found.push(last_case(&stack).await);
    found.extend(roles(&functions, &resources).await);
    if arguments.slack_test {
        found.extend(slack_test(setting).await);
    }
    Ok(found)
}

/// Looks for the newest case in the table's lists.
async fn last_case(stack: &Stack) -> Finding {
    let hour = jiff::Timestamp::now().as_second() / 3600;
    let keys: Vec<String> = (0..LOOKED_BACK).map(|ago| triage::hour_key(hour - ago)).collect();
    match stack.store().read(&keys).await {
        Ok(found) => {
            let has_case = |key: &String| {
                let list =
                    found.iter().find(|document| document.key == *key).and_then(|list| list.parsed::<HourFile>());
                list.is_some_and(|list| !list.cases.is_empty())
            };
            let ago = keys.iter().position(has_case).and_then(|ago| i64::try_from(ago).ok());
            working::last_case(ago, LOOKED_BACK)
        }
        Err(why) => Finding::unknown("last-case", "Table", &AwsError::Refused(stack.unread(&why))),
    }
}

/// What was read of a resource, judged; or why it could not be read.
fn each<T>(
    found: &mut Vec<Finding>,
    check: &'static str,
    resource: &Resource,
    read: Result<T, AwsError>,
    judge: impl FnOnce(&str, &T) -> Vec<Finding>,
) {
    match read {
        Ok(read) => found.extend(judge(&resource.logical, &read)),
        Err(why) => found.push(Finding::unknown(check, &resource.logical, &why)),
    }
}

/// Asks IAM's simulator about each function's role.
async fn roles(functions: &BTreeMap<&str, Function>, resources: &[Resource]) -> Vec<Finding> {
    let iam = Iam::Aws(AwsIam::new());
    let mut found = Vec::new();
    for power in powers::POWERS {
        let Some(function) = functions.get(power.function) else { continue };
        let Some(Arn { partition, account, .. }) = Arn::parse(&function.role) else {
            found.push(Finding::unknown("role", power.function, &AwsError::Refused("its role has no ARN".to_owned())));
            continue;
        };
        let named = resources.iter().find(|resource| resource.logical == power.on);
        let on = match (power.on, named) {
            ("role", _) => format!("arn:{partition}:iam::{account}:role/anybody"),
            // A key's name is its id; the simulator takes it for what it is asked about.
            (_, Some(resource)) if resource.kind == "AWS::KMS::Key" => {
                let region = resources.iter().find(|resource| resource.kind == "AWS::SNS::Topic");
                let region = region.and_then(|topic| Arn::parse(&topic.physical)).map_or("", |topic| topic.region);
                format!("arn:{partition}:kms:{region}:{account}:key/{}", resource.physical)
            }
            (_, Some(resource)) => resource.physical.clone(),
            (on, None) if on == "*" => on.to_owned(),
            // A stack that grants nothing has no such resource.
            _ => continue,
        };
        found.push(match iam.simulate(&power.question(&function.role, &on)).await {
            Ok(verdict) => power.finding(verdict),
            Err(Refusal::Denied(why)) => Finding::unknown("role", power.function, &AwsError::Denied(why)),
            Err(why) => Finding::unknown("role", power.function, &AwsError::Refused(why.to_string())),
        });
    }
    found
}

/// Posts a message to each channel of the bot's, with the stack's own token.
async fn slack_test<'a>(setting: impl Fn(&str) -> Option<&'a String>) -> Vec<Finding> {
    const CHECK: &str = "slack";
    let Some(secret) = setting("TRAILPASS_SLACK_BOT_TOKEN_SECRET") else {
        return vec![Finding::warning(
            CHECK,
            "Slack",
            "the stack has no bot: nothing was posted",
            "set SlackBotTokenSecret to have one",
        )];
    };
    let now = Instant::now();
    let token = match Secrets::new().get(secret, now).await {
        Ok(token) => token,
        Err(why) => {
            let says = format!("the secret {secret} can't be read: {why}");
            return vec![Finding::problem(
                CHECK,
                "Slack",
                says,
                "see that it is there and holds the bot's token (xoxb-…)",
            )];
        }
    };
    let api = setting("TRAILPASS_SLACK_API").map_or(slack::API, String::as_str);
    let slack = match Slack::new(api, SLACK) {
        Ok(slack) => slack,
        Err(why) => return vec![Finding::problem(CHECK, "Slack", why.to_string(), "mend the stack's settings")],
    };
    let mut found = Vec::new();
    for name in ["NOTICES", "ALARMS"] {
        let Some(channel) = setting(&format!("TRAILPASS_SLACK_{name}_CHANNEL")) else { continue };
        let message = json!({ "text": "Trailpass: a test by `trailpass doctor --slack-test`. Nothing has happened." });
        found.push(match slack.post(&token, channel, &message, now + SLACK).await {
            Ok(_) => Finding::ok(CHECK, channel, "a message was posted"),
            Err(why) => Finding::problem(
                CHECK,
                channel,
                format!("no message could be posted: {why}"),
                "see that the app has the scope chat:write, is installed, and has been invited to the channel",
            ),
        });
    }
    found
}

/// Tells it: the gravest last, where a terminal's reader looks first.
fn tell(shape: Shape, found: &[Finding]) -> std::io::Result<()> {
    if shape == Shape::Json {
        for finding in found {
            output::write(&json_line(&finding.json())?)?;
        }
        return Ok(());
    }
    let mut sorted: Vec<&Finding> = found.iter().collect();
    sorted.sort_by_key(|finding| finding.state);
    let row = |finding: &&Finding| {
        let says = finding.says.clone();
        vec![finding.state.word().to_owned(), finding.check.to_owned(), finding.subject.clone(), says]
    };
    let rows: Vec<Vec<String>> = sorted.iter().map(row).collect();
    let mut text = format!("{}\n", table(&["STATE", "CHECK", "WHAT", "SAYS"], &rows, output::width()).join("\n"));
    let to_mend: Vec<&&Finding> = sorted.iter().filter(|finding| finding.state > State::Ok).collect();
    if !to_mend.is_empty() {
        text.push_str("\nWhat to do:\n");
        for finding in to_mend {
            text.push_str(&format!("  {} {}: {}.\n", finding.state.word(), finding.subject, finding.says));
            text.push_str(&format!("      {}\n", finding.fix));
        }
    }
    let count = |state| found.iter().filter(|finding| finding.state == state).count();
    text.push_str(&format!(
        "\n{} in order, {} to know, {} not looked at, {} to mend.\n",
        count(State::Ok),
        count(State::Warning),
        count(State::Unknown),
        count(State::Problem)
    ));
    output::write(&text)
}
