//! What an approval would give, for the person who is about to give it.
//!
//! The same words as in the notice, and only those that matter now: who was refused what, and why; then what is given to whom, in
//! full, and for how long. What is shown here is what the answer names by its hash.

use super::{Page, Style, advice, escape, escape::shown, facts, what};
use crate::{
    diagnosis::{Remedy, Response},
    grant::OWN_POLICIES,
    notice::Notice,
};

/// Writes it.
pub fn offer(notice: &Notice<'_>, remedy: &Remedy, minutes: i64, style: Style) -> String {
    let diagnosis = notice.diagnosis;
    let mut page = Page::new(style);
    page.headline("APPROVE", Response::RequestApproval, shown(&diagnosis.summary, escape::SENTENCE));
    page.item("Who", facts::who(diagnosis));
    page.more(facts::client(notice));
    what(&mut page, notice);
    page.item("Why", facts::why(notice));
    page.gap();
    page.item("Gives", format_args!("{}.", advice::order(remedy)));
    page.more(advice::reason(remedy));
    page.more(advice::reach_and_risk(remedy));
    let own = remedy.policy_arn.as_deref().and_then(|arn| arn.rsplit('/').next());
    let own = own.and_then(|name| OWN_POLICIES.iter().find(|own| own.name == name)).map(|own| own.document());
    if let Some(document) = remedy.policy.as_ref().or(own.as_ref()) {
        page.gap();
        page.policy(document, "the notice and the case's page have the rest");
    }
    page.gap();
    let time = if minutes % 60 == 0 { format!("{} h", minutes / 60) } else { format!("{minutes} min") };
    page.item("For", format_args!("{time} from the answer, and no longer."));
    if let Some(case) = &notice.case {
        page.item("Case", shown(case.id, escape::SHORT));
    }
    if let Some(hash) = &remedy.hash {
        page.item("Hash", shown(hash, escape::SHORT));
    }
    page.out
}
