//! Ending a grant early: by any approver, whatever has become of the case or of the rules.
//!
//! It needs an approval to end, and it is one record, however often it is asked for. Whoever can write to the table must not keep a
//! grant alive by standing in that record's place: what is not ours there is written over. That it is ours is known by
//! making its code once more, which stays here.

use access::{
    approval_rules::{Who, may_revoke},
    approver::Approver,
    decision::{Answer, Approved, Revocation},
};
use adapters::store::Store;
use tracing::error;

use crate::{
    answer::{Asked, Before, Refused},
    found::{Found, Row},
    handle::{Decide, Ended, Trouble},
};

impl<S: Store> Decide<S> {
    pub(crate) async fn revoked(
        &self,
        asked: &Asked,
        found: &Found,
        approver: &Approver,
        by: Approved,
        now: i64,
    ) -> Result<Ended, Trouble> {
        if !may_revoke(Who::Listed(approver)).allowed {
            return Ok(Ended::Refused(Refused::Unlisted));
        }
        // What stands there and is no approval of decide's gives nothing, either.
        if !matches!(&found.decision, Row::Is(row, _) if row.record.answer == Answer::Approve) {
            return Ok(Ended::Refused(Refused::NothingApproved));
        }
        match &found.revocation {
            Row::Is(row, _) if self.voucher.vouch(&row.record.message()).await? == row.mac => {
                let Revocation { by, revoked_at: at, .. } = row.record.clone();
                return Ok(Ended::Already { before: Before::Revoked, by, at, not_after: None });
            }
            Row::None => {}
            Row::Is(..) | Row::Unreadable(_) => {
                error!(case = asked.case_id, "what stands in a revocation's place is none: it is written over");
            }
        }
        let Asked { case_id, opening, .. } = asked;
        Ok(Ended::Revoked(Revocation { case_id: case_id.clone(), opening: *opening, by, revoked_at: now }))
    }
}
