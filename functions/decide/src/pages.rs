//! A case's page, for whoever holds its link. It shows, and decides nothing.
//!
//! A link that is wrong in any way, that is over, or whose case is not there (any more, or at this opening) is answered with the same
//! words: whoever guesses learns nothing.

use access::{
    answer::aws::Wish,
    link::Link,
    notice::{Notice, Together, html},
    triage::{PrincipalFile, principal_key_of},
};
use adapters::{store::Store, telemetry::Metric};
use tracing::error;

use crate::{
    answer::Asked,
    door::{Door, nothing},
    found::{Found, parsed},
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
        let Some(case) = found.case.filter(|case| case.opening == asked.opening) else { return Ok(None) };
        let setting = &self.decide.setting;
        let diagnosed = case.diagnosed(setting);
        let files = self.decide.store.read(&[principal_key_of(&case)]).await?;
        let recent = files.first().and_then(parsed::<PrincipalFile>).unwrap_or_default().recent;
        let near = recent.iter().filter(|recent| recent.is_near(&case, case.opened_at));
        let together: Vec<Together> = near.map(|recent| recent.beside()).collect();
        Ok(Some(html::page(&Notice {
            diagnosis: &diagnosed.diagnosis,
            call: &diagnosed.call(),
            case: Some(case.facts(&together, None)),
            grant_mode: setting.mode,
        })))
    }
}
