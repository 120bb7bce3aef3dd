//! Every condition of an approval, broken on its own.
//!
//! What may be granted before a break must not be after it, in both grant modes that give anything. The breaks stand in
//! [`super::breaks`]; whoever adds a condition to the contract adds one there.

use access::{diagnose::diagnose_sentence, grant::GrantMode};
use proptest::{
    prelude::*,
    sample::{Index, select},
};
use serde_json::{Value, json};
use tests::{actions, judge, sample::*};

use super::{
    breaks::{CONDITIONS, NOBODYS},
    cases,
    grantable::{Grantable, grantable},
};

fn judged(record: &Value, mode: GrantMode, guardrails: &str) -> Value {
    let diagnosis = diagnosed_with(record, &setting(mode, guardrails), false);
    assert_eq!(judge::complaints(&diagnosis), Vec::<String>::new(), "{record:#}");
    diagnosis
}

fn granted(diagnosis: &Value, kind: &str) -> usize {
    let is_granted = |remedy: &&Value| remedy["apply"] == "on-approval" && remedy["kind"] == kind;
    remedies(diagnosis).iter().filter(is_granted).count()
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn what_is_not_broken_is_granted(from in grantable()) {
        let diagnosis = judged(&from.record(), GrantMode::Exact, "{}");
        prop_assert_eq!(&diagnosis["response"], "request-approval", "{:#}", diagnosis);
        prop_assert_eq!(granted(&diagnosis, "put-inline-policy"), 1, "{:#}", diagnosis);
        // In `managed`, one of the closed list or nothing.
        let managed = judged(&from.record(), GrantMode::Managed, "{}");
        prop_assert_eq!(granted(&managed, "put-inline-policy"), 0, "{:#}", managed);
    }

    #[test]
    fn each_condition_is_needed(from in grantable(), word in "[a-z]{3,8}", at in any::<Index>()) {
        prop_assume!(from.account != NOBODYS);
        let mut survived = Vec::new();
        for (condition, breaks) in CONDITIONS {
            for (what, broken) in *breaks {
                let record = broken(&from, &word, at);
                for mode in [GrantMode::Managed, GrantMode::Exact] {
                    if is_grantable(&judged(&record, mode, "{}")) {
                        let (message, arn) = (&record["errorMessage"], &record["userIdentity"]["arn"]);
                        survived.push(format!("{condition} ({what}, {mode:?}): {message} {arn}"));
                    }
                }
            }
        }
        prop_assert!(survived.is_empty(), "granted all the same:\n  {}", survived.join("\n  "));
    }

    #[test]
    fn the_guardrails_and_the_mode_are_needed(from in grantable(), at in any::<Index>()) {
        let record = from.record();
        let ungranted = judged(&record, GrantMode::None, "{}");
        prop_assert!(!is_grantable(&ungranted), "grant mode none: {:#}", ungranted);
        let name = match at.index(4) {
            0 => from.name.clone(),
            1 => from.name.to_uppercase(),
            2 => format!("{}*", &from.name[..1]),
            _ => "*".to_owned(),
        };
        let names = json!({ "protected": { "names": ["somebody-else", name] } }).to_string();
        let paths = json!({ "protected": { "paths": ["/somewhere-else/", &from.path] } }).to_string();
        for guardrails in [names, paths] {
            for mode in [GrantMode::Managed, GrantMode::Exact] {
                let guarded = judged(&record, mode, &guardrails);
                prop_assert!(!is_grantable(&guarded), "{}: {:#}", guardrails, guarded);
            }
        }
        let free = judged(&record, GrantMode::Exact, r#"{"protected":{"names":["0-nobody"],"paths":["/nowhere/"]}}"#);
        prop_assert!(is_grantable(&free), "guardrails for others: {:#}", free);
    }

    #[test]
    fn a_bare_sentence_grants_nothing(from in grantable()) {
        let diagnosed = diagnose_sentence(&from.sentence(), &setting(GrantMode::Exact, "{}")).unwrap();
        let diagnosis = serde_json::to_value(&diagnosed.diagnosis).unwrap();
        prop_assert_eq!(judge::complaints(&diagnosis), Vec::<String>::new());
        prop_assert!(!is_grantable(&diagnosis));
    }

    #[test]
    fn tampering_is_an_alarm_whatever_else(
        from in grantable(),
        row in select(actions::of_risk("tampering").collect::<Vec<_>>()),
        word in "[a-z]{3,8}",
        at in any::<Index>(),
    ) {
        let resource_type = row.3.split(' ').next().unwrap();
        let from = Grantable { action: row.0, resource_type, is_old_form: false, ..from };
        let diagnosis = judged(&from.record(), GrantMode::Exact, "{}");
        prop_assert_eq!(&diagnosis["response"], "raise-alarm", "{:#}", diagnosis);
        // None of the breaks turns it into anything that somebody could approve.
        let (_, breaks) = CONDITIONS[at.index(CONDITIONS.len())];
        for (what, broken) in breaks {
            let diagnosis = judged(&broken(&from, &word, at), GrantMode::Exact, "{}");
            prop_assert!(!is_grantable(&diagnosis), "{}: {:#}", what, diagnosis);
        }
    }
}
