//! The door: which way a request came, and how an invocation is accounted for.
//!
//! There are three routes, and everything else is answered as if nothing were there. Whatever arrives is counted as exactly one of
//! decided, already, refused, unproved, shown, ignored and failed.

use adapters::{
    audit::{Entry, What},
    config::SlackApp,
    secrets::Secrets,
    store::Store,
    telemetry::Metric,
    vouch::Voucher,
};
use serde_json::Value;

pub use crate::{aws::AwsDoor, request::Response};
use crate::{
    handle::{Decide, Report},
    request::{Request, Route},
};

/// Everything between the internet and what decides.
#[derive(Debug)]
pub struct Door<S> {
    /// What decides.
    pub decide: Decide<S>,
    /// The Slack app whose buttons are believed.
    pub slack: Option<SlackDoor>,
    /// Where it is asked who signed an answer with AWS credentials.
    pub aws: Option<AwsDoor>,
    /// Who says whether a page's link is ours.
    pub links: Option<Voucher>,
    /// The stack's ARN, which links and signed answers name.
    pub stack: Option<String>,
}

/// What Slack's requests are held against.
#[derive(Debug)]
pub struct SlackDoor {
    /// Where the secret is that Slack signs with.
    pub secrets: Secrets,
    /// The app.
    pub app: SlackApp,
}

impl<S: Store> Door<S> {
    /// Takes one event, whatever it is.
    pub async fn take(&self, event: &Value) -> (Response, Report) {
        let mut report = Report::default();
        report.add(Metric::Received, 1);
        let request = Request(event);
        let response = match request.route() {
            Some(Route::Slack) => self.slack(request, &mut report).await,
            Some(Route::Case) => self.page(request, &mut report).await,
            Some(Route::Answers) => self.answers(request, &mut report).await,
            None => {
                report.add(Metric::Ignored, 1);
                nothing()
            }
        };
        (response, report)
    }

    /// Accounts for what nobody is proved to have sent. It stands in the log alone: the table is not for strangers to fill.
    pub(crate) fn unproved(&self, way: &str, why: &str, report: &mut Report) {
        report.add(Metric::Unproved, 1);
        let result = Some(format!("{way}: {why}"));
        Entry { result, ..Entry::new(What::Unproved, "", 0, self.decide.now()) }.log();
    }
}

/// The answer where nothing is, and where something is that is not for whoever asked.
pub(crate) fn nothing() -> Response {
    Response::text(404, "there is nothing here")
}
