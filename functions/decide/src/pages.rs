//! A case's page, for whoever holds its link. It shows, and decides nothing.
//!
//! A link that is wrong in any way, that is over, or whose case is not there (any more, or at this opening) is answered with the same
//! words: whoever guesses learns nothing.

use access::{
    answer::aws::Wish,
    case::Case,
    decide::REQUEST_LAPSES,
    decision::{Answer, Channel},
    diagnosis::{Apply, Remedy},
    link::Link,
    notice::{
        Notice, Together,
        html::{self, Event, Standing},
        time,
    },
    triage::{PrincipalFile, principal_key_of},
};
use adapters::{store::Store, telemetry::Metric};
use tracing::error;

use crate::{
    answer::Asked,
    door::{Door, nothing},
    found::{Found, Row, parsed},
    handle::{Report, Trouble},
    request::{Request, Response},
};

impl<S: Store> Door<S> {
    pub(crate) async fn page(&self, request: Request<'_>, report: &mut Report) -> Response {
        match self.shown(request).await {
            Ok(Some(html)) => {
                report.add(Metric::Shown, 1);
                let mut response = Response::of(200, "text/html; charset=utf-8", html);
                let policy = format!("{}; frame-ancestors 'none'", html::content_security_policy());
                response.headers.extend([("content-security-policy", policy), ("x-frame-options", "DENY".to_owned())]);
                response
            }
            Ok(None) => {
                self.unproved("page", "no link of ours", report);
                nothing()
            }
            Err(why) => {
                error!(%why, "a page could not be shown");
                report.add(Metric::Failed, 1);
                report.add(Metric::OwnDenials, u64::from(why.is_own_denial()));
                Response::text(503, "ask again later")
            }
        }
    }

    async fn shown(&self, request: Request<'_>) -> Result<Option<String>, Trouble> {
        let (Some(links), Some(stack)) = (&self.links, &self.stack) else { return Ok(None) };
        let Some((link, code)) = request.id().zip(request.query()).and_then(|(id, query)| Link::read(id, query)) else {
            return Ok(None);
        };
        let now = self.decide.now();
        if !link.holds(now) || !links.verify(&link.message(stack), code).await? {
            return Ok(None);
        }
        let asked = Asked { case_id: link.case_id, opening: link.opening, wish: Wish::Reject };
        let found = Found::read(&self.decide.store, &asked, now).await?;
        let Some(case) = found.case.as_ref().filter(|case| case.opening == asked.opening) else { return Ok(None) };
        let setting = &self.decide.setting;
        let diagnosed = case.diagnosed(setting);
        let files = self.decide.store.read(&[principal_key_of(case)]).await?;
        let recent = files.first().and_then(parsed::<PrincipalFile>).unwrap_or_default().recent;
        let near = recent.iter().filter(|recent| recent.is_near(case, case.opened_at));
        let together: Vec<Together> = near.map(|recent| recent.beside()).collect();
        let notice = Notice {
            diagnosis: &diagnosed.diagnosis,
            call: &diagnosed.call(),
            case: Some(case.facts(&together, None)),
            grant_mode: setting.mode,
        };
        let best = diagnosed.diagnosis.remedies.iter().find(|remedy| remedy.apply == Apply::OnApproval);
        let is_open = matches!(found.decision, Row::None) && now - case.opened_at < REQUEST_LAPSES;
        let (authority, _) = self.decide.authority.now().await;
        // Slack is where most people answer; the rules may tell the ways apart.
        let ask = |best: &Remedy| authority.who_may(&diagnosed.diagnosis, best, Channel::Slack);
        let approvers = best.filter(|_| is_open).map(ask).unwrap_or_default();
        let (state, events) = (state(&found, case, best, now), events(&found));
        let standing = Standing {
            state: &state,
            is_loud: false,
            is_answered: !matches!(found.decision, Row::None),
            offers: &[],
            approvers: &approvers,
            events: &events,
            answering: None,
        };
        Ok(Some(html::case_page(&notice, Some(&standing), false)))
    }
}

/// How it stands, as far as the decision says; whether IAM holds what was given is reconcile's to know.
fn state(found: &Found, case: &Case, best: Option<&Remedy>, now: i64) -> String {
    let lapses = case.opened_at + REQUEST_LAPSES;
    match (&found.revocation, &found.decision, best) {
        (Row::Is(row, _), ..) => format!("{} took it back.", row.record.by.approver),
        (_, Row::Is(row, _), _) if row.record.answer == Answer::Reject => {
            format!("{} said no: nothing is given.", row.record.by.approver)
        }
        (_, Row::Is(row, _), _) if row.record.not_after <= now => {
            format!("{} approved it, until {}: its time is over.", row.record.by.approver, time(row.record.not_after))
        }
        (_, Row::Is(row, _), _) => {
            format!("{} approved it until {}.", row.record.by.approver, time(row.record.not_after))
        }
        (_, Row::Unreadable(_), _) => "What stands in the decision's place is none: nobody can answer.".to_owned(),
        (_, Row::None, None) => "It can't be approved: if it was meant, a person has to make the change.".to_owned(),
        (_, Row::None, Some(_)) if now >= lapses => "Nobody answered within a day: the request has lapsed.".to_owned(),
        (_, Row::None, Some(_)) => format!(
            "Nobody has answered yet. It can be answered until {}, in Slack or with trailpass approve {}.",
            time(lapses),
            case.id
        ),
    }
}

/// What was answered, and what did not count, oldest first.
fn events(found: &Found) -> Vec<Event> {
    let mut events: Vec<Event> =
        found.history.1.entries.iter().map(|entry| Event { at: entry.at, what: entry.sentence() }).collect();
    if let Row::Is(row, _) = &found.decision {
        let what = match row.record.answer {
            Answer::Approve => "approved it",
            Answer::Reject => "said no",
        };
        events.push(Event { at: row.record.decided_at, what: format!("{} {what}", row.record.by.approver) });
    }
    if let Row::Is(row, _) = &found.revocation {
        events.push(Event { at: row.record.revoked_at, what: format!("{} took it back", row.record.by.approver) });
    }
    events.sort_by_key(|event| event.at);
    events
}
