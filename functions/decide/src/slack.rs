//! Slack's requests: proved, read, answered within Slack's three seconds.
//!
//! An answer that counts is acknowledged with status 200 and nothing else; what became of it is said in the message itself, which
//! `reconcile` edits: the one who was first, and whose decision it was, stands there for whoever clicked second. An answer that does
//! not count is not acknowledged, and Slack shows its own error to the person who clicked. There are two ways of telling the
//! person more, and both would give power to the one function that faces the internet: calling the payload's `response_url` is
//! calling an address that came in, and `chat.postEphemeral` needs the bot's token, with which a taken-over function could post
//! buttons of its own. Why an answer did not count is in the case's history, on its page, and in the audit.
//! <https://docs.slack.dev/interactivity/handling-user-interaction#acknowledgment_response>

use std::{
    fmt::Debug,
    time::{Duration, Instant},
};

use access::{
    answer::{
        aws::Wish,
        slack::{self, Expected, LONGEST_BODY, SlackAnswer, Unverified},
    },
    decision::Answer,
};
use adapters::{
    audit::{Entry, What},
    http::AwsError,
    secrets::{Secret, SecretError},
    store::Store,
    telemetry::Metric,
};
use tracing::error;

use crate::{
    answer::{Asked, Outcome, Proof},
    door::{Door, SlackDoor, nothing},
    handle::Report,
    request::{Request, Response},
};

/// Why nothing was read from a request.
enum Unread {
    /// It is not proved to be Slack's, or it is of no form that Slack sends for our buttons.
    Unproved(String),
    /// The secret could not be read.
    Secret(SecretError),
}

fn unproved(why: impl Debug) -> Unread {
    Unread::Unproved(format!("{why:?}"))
}

impl<S: Store> Door<S> {
    pub(crate) async fn slack(&self, request: Request<'_>, report: &mut Report) -> Response {
        let Some(door) = &self.slack else {
            report.add(Metric::Ignored, 1);
            return nothing();
        };
        let ahead = Duration::from_millis(u64::try_from(self.decide.ahead_ms).unwrap_or(0));
        let answer = match door.read(request, self.decide.now(), Instant::now() + ahead).await {
            Ok(Some(answer)) => answer,
            Ok(None) => {
                report.add(Metric::Ignored, 1);
                return Response::text(200, "");
            }
            Err(Unread::Unproved(why)) => {
                self.unproved("slack", &why, report);
                return Response::text(401, "this is not proved to be Slack's");
            }
            Err(Unread::Secret(why)) => {
                error!(%why, "nothing can be told to be Slack's");
                let result = Some(format!("slack: {why}"));
                Entry { result, ..Entry::new(What::Failed, "", 0, self.decide.now()) }.log();
                report.add(Metric::Failed, 1);
                report.add(Metric::OwnDenials, u64::from(matches!(why, SecretError::Aws(AwsError::Denied(_)))));
                return Response::text(503, "ask again later");
            }
        };
        let ours = Expected { app_id: &door.app.app_id, team_id: &door.app.team_id };
        match self.decide.answer(&asked(&answer), &Proof::Slack { answer: &answer, ours }, report).await {
            Ok(reply) if reply.outcome == Outcome::Refused => {
                Response::text(403, reply.because.as_deref().unwrap_or_default())
            }
            Ok(_) => Response::text(200, ""),
            Err(_) => Response::text(503, "ask again later"),
        }
    }
}

impl SlackDoor {
    /// `None`: somebody chose from a menu.
    async fn read(&self, request: Request<'_>, now: i64, clock: Instant) -> Result<Option<SlackAnswer>, Unread> {
        let timestamp = request.header("x-slack-request-timestamp").map_err(unproved)?;
        let signature = request.header("x-slack-signature").map_err(unproved)?;
        let body = request.body(LONGEST_BODY).map_err(unproved)?;
        // Whoever sends nothing that could be proved has no secret fetched.
        if signature.is_none() {
            return Err(unproved(Unverified::NoSignature));
        }
        let name = &self.app.signing_secret;
        let secret = self.secrets.get(name, clock).await.map_err(Unread::Secret)?;
        let verify = |secret: &Secret| slack::verify(secret.expose().as_bytes(), timestamp, signature, &body, now);
        let verified = match verify(&secret) {
            // The secret may have been changed since it was read; it is read again every ten seconds at the most.
            Err(Unverified::Forged) => match self.secrets.refresh(name, &secret, clock).await {
                Ok(Some(newer)) => verify(&newer),
                Ok(None) | Err(_) => Err(Unverified::Forged),
            },
            verified => verified,
        };
        slack::read(&verified.map_err(unproved)?).map_err(unproved)
    }
}

fn asked(answer: &SlackAnswer) -> Asked {
    let wish = match (answer.answer, &answer.remedy) {
        (Answer::Approve, Some(remedy)) => {
            Wish::Approve { remedy: remedy.clone(), duration_seconds: answer.duration_seconds }
        }
        // `read` gives no approval without a remedy.
        (Answer::Approve, None) | (Answer::Reject, _) => Wish::Reject,
    };
    Asked { case_id: answer.case_id.clone(), opening: answer.opening, wish }
}
