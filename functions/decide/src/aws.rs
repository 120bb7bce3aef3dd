//! Answers that are signed with AWS credentials: read, shown to STS as they were signed, and believed as far as STS does.
//!
//! Who answers is what STS of this Region says, and nothing else. What was signed for another stack, another case, another remedy or
//! a longer time is another request, because the signature covers the answer; the same request sent again is the same answer, and
//! one decision. A program asks here, so that every outcome is JSON of one shape.

use access::answer::aws::{LONGEST_BODY, SignedAnswer};
use adapters::{
    audit::{Entry, What},
    store::Store,
    sts::{Sts, StsError},
    telemetry::Metric,
};
use tracing::error;

use crate::{
    answer::{Asked, Proof, Reply},
    door::{Door, nothing},
    handle::Report,
    request::{Request, Response},
};

/// Said where it is not known whether a decision was written: asked again, the answer is the same decision or the first one.
const AGAIN: &str = "it is not known whether it was taken: ask again";

/// Where it is asked who signed something.
#[derive(Debug)]
pub struct AwsDoor {
    /// STS.
    pub sts: Sts,
    /// This function's own Region: what is signed for another one is not passed on.
    pub region: String,
}

impl<S: Store> Door<S> {
    pub(crate) async fn answers(&self, request: Request<'_>, report: &mut Report) -> Response {
        let (Some(door), Some(stack)) = (&self.aws, &self.stack) else {
            report.add(Metric::Ignored, 1);
            return nothing();
        };
        let mut unproved = |status: u16, why: &str| {
            self.unproved("aws", why, report);
            Response::json(status, &Reply::refused(why))
        };
        let Ok(body) = request.body(LONGEST_BODY) else {
            return unproved(400, "the body is too long, or not in its form");
        };
        let (signed, answer) = match SignedAnswer::read(&body, &door.region) {
            Ok(read) => read,
            Err(unread) => return unproved(400, unread.because()),
        };
        if answer.stack != *stack {
            return unproved(400, "the answer is for another stack");
        }
        let caller = match door.sts.caller(&signed, &door.region).await {
            Ok(caller) => caller,
            Err(StsError::Refused(why)) => return unproved(401, &StsError::Refused(why).to_string()),
            Err(StsError::Unavailable(why)) => {
                error!(%why, "nobody could say who signed an answer");
                let result = Some(format!("aws: {why}"));
                Entry { result, ..Entry::new(What::Failed, &answer.case_id, answer.opening, self.decide.now()) }.log();
                report.add(Metric::Failed, 1);
                return Response::json(503, &Reply::refused("nobody can say now who signed it: ask again"));
            }
        };
        let asked = Asked { case_id: answer.case_id, opening: answer.opening, wish: answer.wish };
        match self.decide.answer(&asked, &Proof::Aws { arn: &caller.arn }, report).await {
            Ok(reply) => Response::json(200, &reply),
            Err(_) => Response::json(503, &Reply::refused(AGAIN)),
        }
    }
}
