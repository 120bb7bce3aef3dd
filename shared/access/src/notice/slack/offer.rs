//! What a Slack message offers to answer: a menu of remedies, one of durations, Approve and Reject.
//!
//! Offered is what an approval can apply and nothing else, and what comes back are ids ([`answer`]): a text that
//! was shown is never read again. Each button asks once more, naming what is given to whom, because a thumb on a telephone hits
//! the wrong one. <https://docs.slack.dev/reference/block-kit/block-elements/select-menu-element> and
//! <https://docs.slack.dev/reference/block-kit/composition-objects/confirmation-dialog-object>

use serde_json::{Value, json};

use crate::{
    answer::{self, slack as id},
    diagnosis::{Apply, Remedy, Response},
    notice::{Notice, advice, escape, facts, words},
};

/// As many remedies as the message shows: nobody chooses what they were not told of. The page shows all.
const REMEDIES: usize = 1 + super::OTHERS;
/// An option's text; its description may have as many.
const OPTION: usize = 75;
/// The text of a dialog.
const DIALOG: usize = 300;
/// The duration that stands in the menu until another is chosen. Minutes.
const USUAL: i64 = 60;

/// The blocks, or `None` where there is nothing that somebody could answer.
pub fn blocks(notice: &Notice<'_>, opening: u64) -> Option<Vec<Value>> {
    if notice.diagnosis.response != Response::RequestApproval {
        return None;
    }
    let subject = answer::subject(notice.case.as_ref()?.id, opening)?;
    let remedies: Vec<_> = notice.diagnosis.remedies.iter().take(REMEDIES).filter_map(offered).collect();
    let orders: Vec<String> =
        remedies.iter().enumerate().map(|(at, (remedy, _))| format!("{}. {}", at + 1, advice::order(remedy))).collect();
    let options: Vec<Value> = remedies.iter().zip(&orders).map(|((remedy, hash), order)| {
        json!({ "text": plain(order, OPTION), "description": plain(words::reach(remedy.reach), OPTION), "value": hash })
    }).collect();
    let best = options.first()?.clone();
    let who = who(notice);
    // The dialog stands still while the menus change: it names everything that the menu could mean.
    let approval = format!("{who} is given, for the time chosen: {}", orders.join("; "));
    let rejection = format!("{who} is given nothing.");
    Some(vec![
        json!({ "type": "actions", "block_id": "trailpass.choice", "elements": [
            menu(id::REMEDY, "What is given", options, best),
            menu(id::DURATION, "For how long", answer::DURATIONS.map(duration).into(), duration(USUAL)),
        ] }),
        json!({ "type": "actions", "block_id": "trailpass.answer", "elements": [
            button(id::APPROVE, "Approve", "primary", &subject, &approval),
            button(id::REJECT, "Reject", "danger", &subject, &rejection),
        ] }),
    ])
}

/// A remedy that an approval applies, with the hash that names it.
fn offered(remedy: &Remedy) -> Option<(&Remedy, &str)> {
    let hash = remedy.hash.as_deref().filter(|hash| answer::is_remedy_hash(hash))?;
    (remedy.apply == Apply::OnApproval).then_some((remedy, hash))
}

/// Who gets it, cut so short that what is given still has room behind it.
fn who(notice: &Notice<'_>) -> String {
    let principal = &notice.diagnosis.principal;
    let account = facts::fact(principal.account_id.as_deref(), 16);
    format!("{} of account {account}", escape::shown(&facts::subject(principal), 100))
}

fn duration(minutes: i64) -> Value {
    json!({ "text": plain(&words::minutes(minutes), OPTION), "value": minutes.to_string() })
}

fn menu(action_id: &str, label: &str, options: Vec<Value>, initial: Value) -> Value {
    json!({
        "type": "static_select", "action_id": action_id, "placeholder": plain(label, OPTION),
        "options": options, "initial_option": initial,
    })
}

fn button(action_id: &str, label: &str, style: &str, subject: &str, question: &str) -> Value {
    json!({
        "type": "button", "action_id": action_id, "text": plain(label, OPTION), "style": style, "value": subject,
        "confirm": {
            "title": plain(&format!("{label}?"), OPTION), "text": plain(question, DIALOG),
            "confirm": plain(label, OPTION), "deny": plain("Go back", OPTION), "style": style,
        },
    })
}

fn plain(text: &str, max: usize) -> Value {
    let mut line = String::with_capacity(text.len().min(max));
    escape::push_slack(&mut line, text, max);
    json!({ "type": "plain_text", "text": line, "emoji": false })
}
