//! What a responder tells people by: the topics' subscriptions, and whether anybody could end one by a link.

use adapters::deployed::Subscription;

use super::finding::Finding;

/// Whether a topic reaches anybody. `has_other_way`: its notices go to Slack as well.
pub fn topic(name: &str, subscriptions: &[Subscription], has_other_way: bool) -> Vec<Finding> {
    const CHECK: &str = "topic";
    let mut findings = Vec::new();
    let confirmed: Vec<&Subscription> = subscriptions.iter().filter(|one| one.is_confirmed).collect();
    for pending in subscriptions.iter().filter(|one| !one.is_confirmed) {
        findings.push(Finding::warning(
            CHECK,
            name,
            format!("{} {} has not confirmed its subscription and hears nothing", pending.protocol, pending.endpoint),
            "let its reader confirm it (the message may lie among the spam), or subscribe it again",
        ));
    }
    // A mail's reader has a link that ends the subscription; whatever opens links for him, a scanner, say, ends it.
    // https://docs.aws.amazon.com/sns/latest/api/API_ConfirmSubscription.html
    let is_loose = |one: &&&Subscription| {
        one.is_authenticated == Some(false) && ["email", "email-json", "http", "https"].contains(&one.protocol.as_str())
    };
    for loose in confirmed.iter().filter(is_loose) {
        findings.push(Finding::warning(
            CHECK,
            name,
            format!(
                "whoever opens the link at the end of a message to {} ends its subscription: a mail scanner can",
                loose.endpoint
            ),
            "confirm it anew with aws sns confirm-subscription --authenticate-on-unsubscribe true",
        ));
    }
    if confirmed.is_empty() && has_other_way {
        findings.push(Finding::warning(
            CHECK,
            name,
            "nobody has subscribed: where Slack is out of order, nobody hears",
            "subscribe an address that people read, too",
        ));
    } else if confirmed.is_empty() {
        findings.push(Finding::problem(
            CHECK,
            name,
            "nobody has subscribed, and there is no Slack channel either: nobody hears",
            "set the stack's parameters for addresses or for Slack",
        ));
    } else if findings.is_empty() {
        findings.push(Finding::ok(CHECK, name, format!("{} subscribed and confirmed", confirmed.len())));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::State;

    fn one(protocol: &str, is_confirmed: bool, is_authenticated: Option<bool>) -> Subscription {
        let (protocol, endpoint) = (protocol.to_owned(), "team\u{202e}@example.com".to_owned());
        Subscription { protocol, endpoint, is_confirmed, is_authenticated }
    }

    #[test]
    fn who_hears_and_who_could_be_silenced() {
        let states = |subscriptions: &[Subscription], other| -> Vec<State> {
            let found = topic("AlarmsTopic", subscriptions, other);
            assert!(found.iter().all(|finding| !finding.says.contains('\u{202e}')), "{found:?}");
            found.iter().map(|finding| finding.state).collect()
        };
        assert_eq!(states(&[one("email", true, Some(true))], false), [State::Ok]);
        // Nobody can click a queue away.
        assert_eq!(states(&[one("sqs", true, Some(false))], false), [State::Ok]);
        assert_eq!(states(&[one("email", true, Some(false))], false), [State::Warning]);
        assert_eq!(states(&[one("email", true, None)], false), [State::Ok]);
        assert_eq!(states(&[one("email", false, None)], false), [State::Warning, State::Problem]);
        assert_eq!(states(&[], false), [State::Problem]);
        assert_eq!(states(&[], true), [State::Warning]);
    }
}
