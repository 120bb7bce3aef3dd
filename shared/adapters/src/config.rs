//! The environment variables, read once into one value.
//!
//! Decides which settings there are, what is valid, and which contradict each other, so that a wrong setting is found when the
//! function starts and not when the first alarm can't be sent. All that is wrong is said at once. An empty variable is an absent one
//! (CloudFormation can't leave one out). `TRAILPASS_LOG` is read apart, by [`crate::telemetry::init`], because what is wrong here is to be logged.

use access::{approver::is_slack_id, grant::GrantMode};
use std::fmt;

/// How a topic's messages have to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopicFormat {
    /// `email`: text for people.
    Email,
    /// `amazon-q`: the [custom notification](https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html) of Amazon Q
    /// Developer in chat applications, which drops anything else without a word.
    AmazonQ,
}

/// An SNS topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Its ARN.
    pub arn: String,
    /// Who reads it.
    pub format: TopicFormat,
}

/// How an audience is reached in Slack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SlackRoute {
    /// By the bot's token, which can update its messages.
    Bot {
        /// Name or ARN of the secret with the token.
        token_secret: String,
        /// The channel's id.
        channel: String,
    },
    /// By an incoming webhook, which can only post.
    Webhook {
        /// Name or ARN of the secret with the webhook's address.
        url_secret: String,
    },
}

/// Where one kind of message goes. Nowhere, if both are absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audience {
    /// `TRAILPASS_…_TOPIC` and `TRAILPASS_…_TOPIC_FORMAT`.
    pub topic: Option<Topic>,
    /// `TRAILPASS_SLACK_…_CHANNEL` or `TRAILPASS_SLACK_…_WEBHOOK_SECRET`.
    pub slack: Option<SlackRoute>,
}

/// The Slack app whose buttons are believed. All of it, or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlackApp {
    /// `TRAILPASS_SLACK_SIGNING_SECRET`: name or ARN of the secret that Slack signs its requests with.
    pub signing_secret: String,
    /// `TRAILPASS_SLACK_APP`: the app's id.
    pub app_id: String,
    /// `TRAILPASS_SLACK_TEAM`: the workspace's id.
    pub team_id: String,
}

/// Every setting of a deployed function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `TRAILPASS_TABLE`, the one that must be there: the table's name.
    pub table: String,
    /// What administrators get.
    pub notices: Audience,
    /// What the security audience gets.
    pub alarms: Audience,
    /// `TRAILPASS_SLACK_API`: another address for Slack's methods, for tests.
    pub slack_api: Option<String>,
    /// `TRAILPASS_OWN_ROLES`: ARNs of this stack's own roles, whose denials are never cases.
    pub own_roles: Vec<String>,
    /// `TRAILPASS_LOOK_UP`: whether CloudTrail and the simulator are asked for what is only said.
    pub looks_up: bool,
    /// `TRAILPASS_ALLOW_DIRECT_INVOKE`: whether one bare event is taken beside SQS's batches.
    pub allow_direct_invoke: bool,
    /// `TRAILPASS_GUARDRAILS`: the operator's guardrails, unread.
    pub guardrails: Option<String>,
    /// `TRAILPASS_GRANT_MODE`: what may be granted; nothing, unless it says otherwise.
    pub grant_mode: GrantMode,
    /// `TRAILPASS_PERMISSIONS_BOUNDARY`: the ARN of the permissions boundary without which nobody is given an inline policy.
    pub boundary: Option<String>,
    /// `TRAILPASS_MAC_KEY`: the id or ARN of KMS's key that vouches for decisions.
    pub mac_key: Option<String>,
    /// `TRAILPASS_LINK_KEY`: the id or ARN of KMS's key that vouches for links to pages.
    pub link_key: Option<String>,
    /// `TRAILPASS_PAGES`: what the address of every case's page begins with, its last slash included.
    pub pages: Option<String>,
    /// `TRAILPASS_SLACK_BUTTONS`: whether a message may offer what can be approved.
    pub slack_buttons: bool,
    /// `TRAILPASS_APPROVERS`: the name of SSM's parameter that lists the approvers.
    pub approvers: Option<String>,
    /// `TRAILPASS_APPROVAL_RULES`: the name of SSM's parameter that holds the operator's own approval rules.
    pub approval_rules: Option<String>,
    /// Whose buttons are believed.
    pub slack_app: Option<SlackApp>,
    /// `TRAILPASS_STACK`: the stack's ARN, which an answer that is signed with AWS credentials has to name.
    pub stack: Option<String>,
}

/// Everything that is wrong, each with the variable's name and what is expected of it. Values are not repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(pub Vec<String>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "wrong settings: {}", self.0.join("; "))
    }
}

impl std::error::Error for ConfigError {}

const TABLE: &str = "TRAILPASS_TABLE";
const TOKEN: &str = "TRAILPASS_SLACK_BOT_TOKEN_SECRET";
const SLACK_API: &str = "TRAILPASS_SLACK_API";
const OWN_ROLES: &str = "TRAILPASS_OWN_ROLES";
const LOOK_UP: &str = "TRAILPASS_LOOK_UP";
const DIRECT: &str = "TRAILPASS_ALLOW_DIRECT_INVOKE";
const GRANT_MODE: &str = "TRAILPASS_GRANT_MODE";
const GRANT_MODES: [(&str, GrantMode); 3] =
    [("none", GrantMode::None), ("managed", GrantMode::Managed), ("exact", GrantMode::Exact)];
const BOUNDARY: &str = "TRAILPASS_PERMISSIONS_BOUNDARY";

impl Config {
    /// Reads every variable once. `env` is `|name| std::env::var(name).ok()`, or a test's table.
    pub fn read(env: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut reader = Reader { env, wrong: Vec::new() };
        let token = reader.checked(TOKEN, is_secret_name, "the name or ARN of a secret");
        let config = Self {
            table: reader
                .checked(TABLE, is_table, "a table's name: 3 to 255 letters, digits, _ . -")
                .unwrap_or_default(),
            notices: reader.audience("NOTICES", token.as_deref()),
            alarms: reader.audience("ALARMS", token.as_deref()),
            slack_api: reader.checked(SLACK_API, |url| url.contains("://"), "an address such as https://slack.com/api"),
            own_roles: reader.own_roles(),
            looks_up: reader.one_of(LOOK_UP, &[("true", true), ("false", false)]).unwrap_or(false),
            allow_direct_invoke: reader.one_of(DIRECT, &[("true", true), ("false", false)]).unwrap_or(false),
            guardrails: reader.get("TRAILPASS_GUARDRAILS"),
            grant_mode: reader.one_of(GRANT_MODE, &GRANT_MODES).unwrap_or_default(),
            boundary: reader.checked(BOUNDARY, is_policy, "the ARN of a managed policy"),
            mac_key: reader.checked("TRAILPASS_MAC_KEY", is_secret_name, "the id or ARN of a key"),
            link_key: reader.checked("TRAILPASS_LINK_KEY", is_secret_name, "the id or ARN of a key"),
            pages: reader.checked("TRAILPASS_PAGES", is_base, "an address such as https://example.com/cases/"),
            slack_buttons: reader
                .one_of("TRAILPASS_SLACK_BUTTONS", &[("true", true), ("false", false)])
                .unwrap_or(false),
            approvers: reader.checked("TRAILPASS_APPROVERS", is_parameter, "the name of a parameter, /a/b"),
            approval_rules: reader.checked("TRAILPASS_APPROVAL_RULES", is_parameter, "the name of a parameter, /a/b"),
            slack_app: reader.slack_app(),
            stack: reader.checked("TRAILPASS_STACK", is_stack, "the ARN of a stack"),
        };
        if reader.get(TABLE).is_none() {
            reader.wrong.push(format!("{TABLE} is missing: the name of the table for cases"));
        }
        if reader.wrong.is_empty() { Ok(config) } else { Err(ConfigError(reader.wrong)) }
    }
}

struct Reader<F> {
    env: F,
    wrong: Vec<String>,
}

impl<F: Fn(&str) -> Option<String>> Reader<F> {
    fn get(&self, name: &str) -> Option<String> {
        (self.env)(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    fn checked(&mut self, name: &str, valid: fn(&str) -> bool, expected: &str) -> Option<String> {
        let text = self.get(name)?;
        if valid(&text) {
            return Some(text);
        }
        self.wrong.push(format!("{name}: expected {expected}"));
        None
    }

    fn one_of<T: Copy>(&mut self, name: &str, choices: &[(&str, T)]) -> Option<T> {
        let text = self.get(name)?;
        let chosen = choices.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if chosen.is_none() {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            self.wrong.push(format!("{name}: expected {}", words.join(" or ")));
        }
        chosen
    }

    fn audience(&mut self, who: &str, token: Option<&str>) -> Audience {
        let arn = self.checked(&format!("TRAILPASS_{who}_TOPIC"), is_topic, "the ARN of a standard SNS topic");
        let formats = [("email", TopicFormat::Email), ("amazon-q", TopicFormat::AmazonQ)];
        // A topic's format may be set where there is no topic: a template's parameter has a default.
        let format = self.one_of(&format!("TRAILPASS_{who}_TOPIC_FORMAT"), &formats).unwrap_or(TopicFormat::Email);
        Audience { topic: arn.map(|arn| Topic { arn, format }), slack: self.slack(who, token) }
    }

    fn slack(&mut self, who: &str, token: Option<&str>) -> Option<SlackRoute> {
        let channel_name = format!("TRAILPASS_SLACK_{who}_CHANNEL");
        let webhook_name = format!("TRAILPASS_SLACK_{who}_WEBHOOK_SECRET");
        let given = self.get(&channel_name).is_some();
        let channel = self.checked(
            &channel_name,
            |id| is_slack_id(id, &['C', 'D', 'G']),
            "a channel's id such as C0123456789 (not its name)",
        );
        let webhook = self.checked(&webhook_name, is_secret_name, "the name or ARN of a secret");
        let token_given = self.get(TOKEN).is_some();
        match (given, webhook) {
            (true, Some(_)) => {
                self.wrong.push(format!("{channel_name} and {webhook_name}: one of them, not both"));
                None
            }
            (true, None) if !token_given => {
                self.wrong
                    .push(format!("{channel_name} needs {TOKEN}, the name or ARN of the secret with the bot's token"));
                None
            }
            (true, None) => match (token, channel) {
                (Some(token), Some(channel)) => Some(SlackRoute::Bot { token_secret: token.to_owned(), channel }),
                _ => None,
            },
            (false, Some(url_secret)) => Some(SlackRoute::Webhook { url_secret }),
            (false, None) => {
                // A bot without a channel would be silent to this audience, and nobody would know.
                if token_given && self.get(&webhook_name).is_none() {
                    self.wrong.push(format!(
                        "{TOKEN} needs {channel_name}, a channel's id such as C0123456789 (or {webhook_name})"
                    ));
                }
                None
            }
        }
    }

    fn slack_app(&mut self) -> Option<SlackApp> {
        const NAMES: [&str; 3] = ["TRAILPASS_SLACK_SIGNING_SECRET", "TRAILPASS_SLACK_APP", "TRAILPASS_SLACK_TEAM"];
        let [secret, app, team] = NAMES;
        let signing_secret = self.checked(secret, is_secret_name, "the name or ARN of a secret");
        let app_id = self.checked(app, |id| is_slack_id(id, &['A']), "an app's id such as A0123456789");
        let team_id = self.checked(team, |id| is_slack_id(id, &['T', 'E']), "a workspace's id such as T0123456789");
        let given = NAMES.map(|name| self.get(name).is_some());
        if given.contains(&true) && given.contains(&false) {
            self.wrong.push(format!("{}: all three, or none", NAMES.join(", ")));
        }
        Some(SlackApp { signing_secret: signing_secret?, app_id: app_id?, team_id: team_id? })
    }

    fn own_roles(&mut self) -> Vec<String> {
        let list = self.get(OWN_ROLES).unwrap_or_default();
        let roles: Vec<String> =
            list.split(',').map(str::trim).filter(|role| !role.is_empty()).map(str::to_owned).collect();
        if !roles.iter().all(|role| role.starts_with("arn:") && role.contains(":role/")) {
            self.wrong.push(format!("{OWN_ROLES}: expected ARNs of roles, with commas between them"));
        }
        roles
    }
}

fn is_table(text: &str) -> bool {
    (3..=255).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
}

/// `arn:PARTITION:sns:REGION:ACCOUNT:NAME`. A FIFO topic wants a group for each message and has no e-mail.
fn is_topic(text: &str) -> bool {
    let parts: Vec<&str> = text.split(':').collect();
    matches!(parts.as_slice(), ["arn", partition, "sns", region, account, name]
        if [partition, region, account, name].iter().all(|part| !part.is_empty()) && !name.ends_with(".fifo"))
        && is_one_word(text)
}

fn is_policy(text: &str) -> bool {
    text.starts_with("arn:") && text.contains(":policy/") && is_one_word(text)
}

/// A stack's ARN, `arn:PARTITION:cloudformation:REGION:ACCOUNT:stack/NAME/ID`: no two have the same, not even one after the other.
fn is_stack(text: &str) -> bool {
    text.starts_with("arn:") && text.contains(":cloudformation:") && text.contains(":stack/") && is_one_word(text)
}

fn is_base(text: &str) -> bool {
    text.contains("://") && text.ends_with('/') && is_one_word(text)
}

/// <https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-su-create.html>
fn is_parameter(text: &str) -> bool {
    (2..=1011).contains(&text.len())
        && text.starts_with('/')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-/".contains(&b))
}

fn is_secret_name(text: &str) -> bool {
    text.len() <= 2048 && is_one_word(text)
}

fn is_one_word(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::{Audience, Config, GrantMode, SlackRoute, Topic, TopicFormat};

    fn read(settings: &[(&str, &str)]) -> Result<Config, Vec<String>> {
        let env = |name: &str| settings.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
        Config::read(env).map_err(|error| error.0)
    }

    const TABLE: (&str, &str) = ("TRAILPASS_TABLE", "trailpass");
    const TOKEN: (&str, &str) = ("TRAILPASS_SLACK_BOT_TOKEN_SECRET", "slack/token");
    const NOTICES: (&str, &str) = ("TRAILPASS_SLACK_NOTICES_CHANNEL", "C0123456789");
    const ALARMS: (&str, &str) = ("TRAILPASS_SLACK_ALARMS_CHANNEL", "C9876543210");
    const SIGNING: (&str, &str) = ("TRAILPASS_SLACK_SIGNING_SECRET", "slack/signing");
    const HOOK: (&str, &str) = ("TRAILPASS_SLACK_ALARMS_WEBHOOK_SECRET", "slack/hook");

    #[test]
    fn a_table_is_enough() {
        let config = read(&[
            TABLE,
            ("TRAILPASS_NOTICES_TOPIC", " "),
            ("TRAILPASS_SLACK_API", ""),
            ("TRAILPASS_NOTICES_TOPIC_FORMAT", "email"),
        ]);
        let expected = Config {
            table: "trailpass".into(),
            notices: Audience::default(),
            alarms: Audience::default(),
            slack_api: None,
            own_roles: vec![],
            looks_up: false,
            allow_direct_invoke: false,
            guardrails: None,
            grant_mode: GrantMode::None,
            boundary: None,
            mac_key: None,
            link_key: None,
            pages: None,
            slack_buttons: false,
            approvers: None,
            approval_rules: None,
            slack_app: None,
            stack: None,
        };
        assert_eq!(config, Ok(expected));
    }

    #[test]
    fn everything_is_read() {
        let config = read(&[
            TABLE,
            TOKEN,
            NOTICES,
            HOOK,
            ("TRAILPASS_NOTICES_TOPIC", "arn:aws:sns:eu-west-1:111122223333:notices"),
            ("TRAILPASS_ALARMS_TOPIC", "arn:aws-cn:sns:cn-north-1:111122223333:alarms"),
            ("TRAILPASS_ALARMS_TOPIC_FORMAT", "amazon-q"),
            ("TRAILPASS_SLACK_API", "http://127.0.0.1:9/api"),
            (
                "TRAILPASS_OWN_ROLES",
                "arn:aws:iam::111122223333:role/trailpass/triage, arn:aws:iam::111122223333:role/decide,",
            ),
            ("TRAILPASS_ALLOW_DIRECT_INVOKE", "true"),
            ("TRAILPASS_LOOK_UP", "true"),
            ("TRAILPASS_GUARDRAILS", "{\"protected\": []}"),
            ("TRAILPASS_GRANT_MODE", "managed"),
            ("TRAILPASS_MAC_KEY", "arn:aws:kms:eu-west-1:111122223333:key/vouch"),
            ("TRAILPASS_PERMISSIONS_BOUNDARY", "arn:aws:iam::111122223333:policy/ceiling"),
            ("TRAILPASS_LINK_KEY", "link-key"),
            ("TRAILPASS_PAGES", "https://a1.execute-api.eu-west-1.amazonaws.com/cases/"),
            ("TRAILPASS_SLACK_BUTTONS", "true"),
            ("TRAILPASS_APPROVERS", "/trailpass/approvers"),
            ("TRAILPASS_APPROVAL_RULES", "/trailpass/rules"),
            SIGNING,
            ("TRAILPASS_SLACK_APP", "A0123456789"),
            ("TRAILPASS_SLACK_TEAM", "T0123456789"),
            ("TRAILPASS_STACK", "arn:aws:cloudformation:eu-west-1:111122223333:stack/trailpass/1a2b"),
        ])
        .unwrap();
        let topic = |arn: &str, format| Some(Topic { arn: arn.into(), format });
        assert_eq!(config.notices.topic, topic("arn:aws:sns:eu-west-1:111122223333:notices", TopicFormat::Email));
        assert_eq!(config.alarms.topic, topic("arn:aws-cn:sns:cn-north-1:111122223333:alarms", TopicFormat::AmazonQ));
        let bot = SlackRoute::Bot { token_secret: "slack/token".into(), channel: "C0123456789".into() };
        assert_eq!(config.notices.slack, Some(bot));
        assert_eq!(config.alarms.slack, Some(SlackRoute::Webhook { url_secret: "slack/hook".into() }));
        assert_eq!(
            config.own_roles,
            ["arn:aws:iam::111122223333:role/trailpass/triage", "arn:aws:iam::111122223333:role/decide"]
        );
        assert!(config.allow_direct_invoke && config.looks_up);
        assert_eq!(config.slack_api.as_deref(), Some("http://127.0.0.1:9/api"));
        assert_eq!(config.guardrails.as_deref(), Some("{\"protected\": []}"));
        assert_eq!(config.grant_mode, GrantMode::Managed);
        assert_eq!(config.mac_key.as_deref(), Some("arn:aws:kms:eu-west-1:111122223333:key/vouch"));
        assert_eq!(config.boundary.as_deref(), Some("arn:aws:iam::111122223333:policy/ceiling"));
        assert_eq!(config.link_key.as_deref(), Some("link-key"));
        assert_eq!(config.pages.as_deref(), Some("https://a1.execute-api.eu-west-1.amazonaws.com/cases/"));
        assert!(config.slack_buttons);
        assert_eq!(config.approvers.as_deref(), Some("/trailpass/approvers"));
        assert_eq!(config.approval_rules.as_deref(), Some("/trailpass/rules"));
        let app = config.slack_app.unwrap();
        assert_eq!(
            [app.signing_secret.as_str(), app.app_id.as_str(), app.team_id.as_str()],
            ["slack/signing", "A0123456789", "T0123456789"]
        );
        assert_eq!(config.stack.as_deref(), Some("arn:aws:cloudformation:eu-west-1:111122223333:stack/trailpass/1a2b"));
    }

    #[test]
    fn each_mistake_names_its_variable() {
        let wrong: &[(&[(&str, &str)], &str)] = &[
            (&[], "TRAILPASS_TABLE is missing"),
            (&[("TRAILPASS_TABLE", "a b")], "TRAILPASS_TABLE: expected"),
            (&[TABLE, ("TRAILPASS_ALARMS_TOPIC", "alarms")], "TRAILPASS_ALARMS_TOPIC: expected the ARN"),
            (
                &[TABLE, ("TRAILPASS_ALARMS_TOPIC", "arn:aws:sns:eu-west-1:111122223333:a.fifo")],
                "TRAILPASS_ALARMS_TOPIC: expected",
            ),
            (
                &[TABLE, ("TRAILPASS_NOTICES_TOPIC_FORMAT", "chat")],
                "TRAILPASS_NOTICES_TOPIC_FORMAT: expected email or amazon-q",
            ),
            (&[TABLE, TOKEN, NOTICES], "TRAILPASS_SLACK_BOT_TOKEN_SECRET needs TRAILPASS_SLACK_ALARMS_CHANNEL"),
            (&[TABLE, NOTICES], "TRAILPASS_SLACK_NOTICES_CHANNEL needs TRAILPASS_SLACK_BOT_TOKEN_SECRET"),
            (&[TABLE, TOKEN, NOTICES, ALARMS, HOOK], "not both"),
            (
                &[TABLE, TOKEN, ALARMS, ("TRAILPASS_SLACK_NOTICES_CHANNEL", "#trail")],
                "TRAILPASS_SLACK_NOTICES_CHANNEL: expected a channel's id",
            ),
            (&[TABLE, ("TRAILPASS_SLACK_API", "slack.com")], "TRAILPASS_SLACK_API: expected an address"),
            (&[TABLE, ("TRAILPASS_OWN_ROLES", "triage")], "TRAILPASS_OWN_ROLES: expected ARNs"),
            (&[TABLE, ("TRAILPASS_GRANT_MODE", "all")], "TRAILPASS_GRANT_MODE: expected none or managed or exact"),
            (&[TABLE, ("TRAILPASS_PERMISSIONS_BOUNDARY", "ceiling")], "TRAILPASS_PERMISSIONS_BOUNDARY: expected"),
            (&[TABLE, SIGNING], "TRAILPASS_SLACK_TEAM: all three, or none"),
            (&[TABLE, ("TRAILPASS_PAGES", "https://example.com/cases")], "TRAILPASS_PAGES: expected"),
            (&[TABLE, ("TRAILPASS_APPROVERS", "approvers")], "TRAILPASS_APPROVERS: expected"),
            (&[TABLE, ("TRAILPASS_STACK", "trailpass")], "TRAILPASS_STACK: expected"),
            (
                &[TABLE, ("TRAILPASS_ALLOW_DIRECT_INVOKE", "yes")],
                "TRAILPASS_ALLOW_DIRECT_INVOKE: expected true or false",
            ),
        ];
        for (settings, expected) in wrong {
            let found = read(settings).unwrap_err();
            assert!(found.len() == 1 && found[0].contains(expected), "{expected}: {found:?}");
        }
        let all = read(&[("TRAILPASS_TABLE", "x"), ("TRAILPASS_ALLOW_DIRECT_INVOKE", "1"), NOTICES]).unwrap_err();
        assert_eq!(all.len(), 3, "{all:?}");
    }
}
