//! A case's page, for whoever holds its link. It shows, and decides nothing.
//!
//! A link that is wrong in any way, that is over, or whose case is not there (any more, or at this opening) is answered with the same
//! words: whoever guesses learns nothing.

use access::{
    answer::aws::Wish,
    case::Case,
    decision::{Answer, Channel},
    diagnosis::{Apply, Remedy},
    link::Link,
    notice::{
        Notice, Together,
        html::{self, Event, Standing},
    },
    reconcile::{self, Grant, HolderFile},
    standing::{Facts, State},
    triage::{PrincipalFile, principal_key_of},
};
use adapters::{
    audit::Entry,
    store::{Document, Store, StoreError},
    telemetry::Metric,
};
use serde::Deserialize;
use tracing::error;

use crate::{
    answer::Asked,
    door::{Door, nothing},
    found::{Found, Row},
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
        let principal = files.first().and_then(Document::parsed::<PrincipalFile>).unwrap_or_default();
        let latest = principal.latest_of_call(&case.call_id).map(|recent| recent.id.as_str());
        let near = principal.recent.iter().filter(|recent| recent.is_near(case, case.opened_at));
        let together: Vec<Together> = near.map(|recent| recent.beside()).collect();
        let notice = Notice {
            diagnosis: &diagnosed.diagnosis,
            call: &diagnosed.call(),
            case: Some(case.facts(&diagnosed, &together, None)),
            grant_mode: setting.mode,
        };
        let best = diagnosed.diagnosis.remedies.iter().find(|remedy| remedy.apply == Apply::OnApproval);
        let given = self.given(&found, case).await?;
        let facts = given.facts(&found, case, latest);
        let state = facts.state(best.is_some(), now);
        let (authority, _) = self.decide.authority.now().await;
        // Slack is where most people answer; the rules may tell the ways apart.
        let ask = |best: &Remedy| authority.who_may(&diagnosed.diagnosis, best, Channel::Slack);
        let approvers = best.filter(|_| state == State::Open).map(ask).unwrap_or_default();
        let sentence = match &found.decision {
            Row::Unreadable(_) => "What stands in the decision's place is none: nobody can answer.".to_owned(),
            _ => facts.sentence(best.is_some(), diagnosed.diagnosis.response, now),
        };
        let events = events(&found, &given.history);
        let standing = Standing {
            state: &sentence,
            is_loud: facts.is_overdue(now),
            is_answered: !matches!(found.decision, Row::None),
            offers: &[],
            approvers: &approvers,
            events: &events,
            is_rehearsal: false,
            earlier: &[],
            answering: None,
        };
        Ok(Some(html::case_page(&notice, Some(&standing), false)))
    }

    /// What reconcile remembers of it.
    async fn given(&self, found: &Found, case: &Case) -> Result<Given, StoreError> {
        let holder = match &found.decision {
            Row::Is(row, _) => row.record.target_id.as_deref().map(reconcile::key),
            Row::None | Row::Unreadable(_) => None,
        };
        let history = reconcile::history_key(&case.id, case.opening);
        let keys: Vec<String> = [Some(history.clone()), holder.clone()].into_iter().flatten().collect();
        let documents = self.decide.store.read(&keys).await?;
        let of = |key: &str| documents.iter().find(|found| found.key == key);
        let file = holder.as_deref().and_then(|key| Some(HolderFile::read(key, &of(key)?.body)));
        Ok(Given {
            grant: file.and_then(|file| file.grant(&case.id, case.opening).cloned()),
            history: of(&history).and_then(Document::parsed::<Told>).map(|told| told.entries).unwrap_or_default(),
        })
    }
}

/// A grant, and what happened to it.
struct Given {
    grant: Option<Grant>,
    history: Vec<Entry>,
}

/// As much of reconcile's history as is shown.
#[derive(Deserialize)]
struct Told {
    entries: Vec<Entry>,
}

impl Given {
    fn facts<'a>(&'a self, found: &'a Found, case: &'a Case, latest: Option<&'a str>) -> Facts<'a> {
        let decision = match &found.decision {
            Row::Is(row, _) => Some(&row.record),
            Row::None | Row::Unreadable(_) => None,
        };
        let revocation = match &found.revocation {
            Row::Is(row, _) => Some(&row.record),
            Row::None | Row::Unreadable(_) => None,
        };
        Facts { case: Some(case), opening: case.opening, decision, revocation, grant: self.grant.as_ref(), latest }
    }
}

/// What was answered, what did not count, and what was done about it, oldest first.
fn events(found: &Found, done: &[Entry]) -> Vec<Event> {
    let entries = found.history.1.entries.iter().chain(done);
    let mut events: Vec<Event> = entries.map(|entry| Event { at: entry.at, what: entry.sentence() }).collect();
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
