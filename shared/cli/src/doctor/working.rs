//! What a responder works with: its functions as they are now, their settings, and who may answer.

use access::guardrails::Guardrails;
use adapters::deployed::Function;
use decide::authority::Authority;

use super::finding::Finding;

/// Whether a function runs, and is woken. `name`: its name in the template.
pub fn function(name: &str, function: &Function) -> Vec<Finding> {
    const CHECK: &str = "function";
    let mut findings = Vec::new();
    // A function that was not called for weeks is inactive until it is.
    if !["Active", "Inactive"].contains(&function.state.as_str()) {
        let says = format!("it can't run: its state is {}", function.state);
        findings.push(Finding::problem(CHECK, name, says, "look at the function's StateReason in the Lambda console"));
    }
    if function.last_update == "Failed" {
        let says = "its last update failed: it runs with what it had before, or not at all";
        findings.push(Finding::problem(
            CHECK,
            name,
            says,
            "update the stack again, and read the function's LastUpdateStatusReason",
        ));
    }
    if function.reserved == Some(0) {
        let says = "nobody lets it run: its reserved concurrency is 0";
        findings.push(Finding::problem(
            CHECK,
            name,
            says,
            format!("aws lambda delete-function-concurrency for {name}"),
        ));
    }
    for (source, state) in function.sources.iter().filter(|(_, state)| state != "Enabled") {
        let says = format!("{source} does not wake it: the mapping is {state}");
        findings.push(Finding::problem(CHECK, name, says, "aws lambda update-event-source-mapping --enabled"));
    }
    // Decide is woken by its address; the other two by what they read.
    if name != "Decide" && function.sources.is_empty() {
        findings.push(Finding::problem(CHECK, name, "nothing wakes it", "update the stack with its own template"));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(CHECK, name, "it runs, and is woken"));
    }
    findings
}

/// Whether the settings that the functions keep to can be read.
pub fn guardrails(settings: Option<&String>) -> Finding {
    match settings.map(|text| Guardrails::from_json(text)) {
        Some(Ok(_)) => Finding::ok("guardrails", "Triage", "the guardrails can be read"),
        Some(Err(why)) => Finding::problem(
            "guardrails",
            "Triage",
            why,
            "mend ProtectedNames and the trail's parameters, and update the stack",
        ),
        None => {
            Finding::problem("guardrails", "Triage", "the function has none", "update the stack with its own template")
        }
    }
}

/// Whether a secret that the settings name is there.
pub fn secret(name: &str, is_there: &bool) -> Vec<Finding> {
    vec![if *is_there {
        Finding::ok("secret", name, "it is there")
    } else {
        Finding::problem(
            "secret",
            name,
            "there is no such secret, or it is being deleted",
            "make it, or name another one, and update the stack",
        )
    }]
}

/// When a case was opened last, as far back as was looked. Hours.
pub fn last_case(hours_ago: Option<i64>, looked_back: i64) -> Finding {
    match hours_ago {
        Some(0) => Finding::ok("last-case", "Table", "a case was opened within the last hour"),
        Some(hours) => Finding::ok("last-case", "Table", format!("a case was opened {hours} hours ago")),
        None => Finding::warning(
            "last-case",
            "Table",
            format!("no case was opened in the last {looked_back} hours: it is quiet, or nothing is heard"),
            "see whether CanaryAlarm stands; or be refused something, on purpose, and wait a few minutes",
        ),
    }
}

/// Whether anybody may answer, and by rules that can be read.
pub fn authority(authority: &Authority) -> Vec<Finding> {
    const FIX: &str = "mend the parameter that the stack names; until then nobody can approve";
    let approvers = match &authority.approvers {
        Ok(approvers) => match approvers.iter().count() {
            0 => {
                Finding::problem("approvers", "ApproversParameter", "it lists nobody: no request can be answered", FIX)
            }
            count => Finding::ok("approvers", "ApproversParameter", format!("it lists {count}")),
        },
        Err(why) => Finding::problem("approvers", "ApproversParameter", why.clone(), FIX),
    };
    let of_approvers = authority.approvers.as_ref().err();
    let rules = match authority.faults.iter().find(|fault| Some(*fault) != of_approvers) {
        None => Finding::ok("approval-rules", "ApprovalRulesParameter", "the rules can be read"),
        Some(why) => Finding::problem("approval-rules", "ApprovalRulesParameter", why.clone(), FIX),
    };
    vec![approvers, rules]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::State;

    #[test]
    fn whatever_keeps_a_function_from_its_work() {
        let works = Function {
            state: "Active".to_owned(),
            last_update: "Successful".to_owned(),
            sources: vec![("arn:aws:sqs:eu-west-1:111122223333:q".to_owned(), "Enabled".to_owned())],
            ..Function::default()
        };
        let states = |function: &Function| -> Vec<State> {
            self::function("Triage", function).iter().map(|finding| finding.state).collect()
        };
        assert_eq!(states(&works), [State::Ok]);
        assert_eq!(states(&Function { state: "Inactive".to_owned(), reserved: Some(5), ..works.clone() }), [State::Ok]);
        for broken in [
            Function { state: "Failed".to_owned(), ..works.clone() },
            Function { state: String::new(), ..works.clone() },
            Function { last_update: "Failed".to_owned(), ..works.clone() },
            Function { reserved: Some(0), ..works.clone() },
            Function { sources: vec![], ..works.clone() },
            Function { sources: vec![("q".to_owned(), "Disabled".to_owned())], ..works.clone() },
        ] {
            assert_eq!(states(&broken), [State::Problem], "{broken:?}");
        }
        assert_eq!(function("Decide", &Function { sources: vec![], ..works })[0].state, State::Ok);
    }
}
