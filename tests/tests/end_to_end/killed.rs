//! Death between any two effects: whatever was done by then, the next delivery completes it.
//!
//! The function is killed before and after each of its effects in turn, as the system kills it, without a word; then a new
//! process gets what the queue delivers again. A clean run counts how many effects there are, so that none is left out.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};
use tests::local::{
    denials::{Denial, denial},
    function::Counts,
    place::{ALARMS, NOTICES, Place},
    proxy::{Kind, When},
    side_by_side,
};

use crate::{SHORT, TRIAGE, USUAL, assert_told, bodies, flood, received};

/// More than the machine has processors: nearly all of their time is spent waiting for a lease to run out.
const AT_ONCE: usize = 8;

/// How often each action was refused in all, which names its case here.
type Refused = BTreeMap<&'static str, u64>;

fn one() -> (Vec<Denial>, Refused) {
    (vec![denial("bob", "GetTrailStatus")], Refused::from([("cloudtrail:GetTrailStatus", 1)]))
}

fn several() -> (Vec<Denial>, Refused) {
    let denials = vec![
        denial("bob", "GetTrailStatus"),
        denial("eve", "StopLogging"),
        denial("bob", "ListTags"),
        denial("bob", "GetTrailStatus"),
    ];
    let counts = [("cloudtrail:GetTrailStatus", 2), ("cloudtrail:ListTags", 1), ("cloudtrail:StopLogging", 1)];
    (denials, Refused::from(counts))
}

#[tokio::test]
async fn with_one_denial() {
    let deaths = every_effect("one", one, &[When::Before, When::After]).await;
    assert_eq!(deaths, 8, "case, topic, Slack, told");
}

#[tokio::test]
async fn with_several() {
    let deaths = every_effect("several", several, &[When::Before, When::After]).await;
    assert_eq!(deaths, 22, "two writes of new cases, and topic, Slack, told for each of three");
}

/// Nobody dies, but an answer gets lost, and the SDK asks again.
#[tokio::test]
async fn with_answers_lost() {
    let losses = every_effect("lost", several, &[When::AnswerLost]).await;
    assert_eq!(losses, 11);
}

/// Lets every effect of a batch go wrong in each of these ways, each in a place of its own. Returns how many there were.
async fn every_effect(name: &'static str, batch: fn() -> (Vec<Denial>, Refused), ways: &'static [When]) -> usize {
    let whole = Place::new(&format!("{name}-whole"), TRIAGE).await;
    whole.deliver(&bodies(&batch().0), USUAL).await;
    let effects = whole.ledger.effects().len();
    let jobs = (1..=effects).flat_map(|n| ways.iter().map(move |&when| (n, when)));
    let jobs = jobs.map(|(n, when)| goes_wrong(format!("{name}-{n}-{when:?}"), batch(), n, when));
    side_by_side(AT_ONCE, jobs).await.len()
}

async fn goes_wrong(name: String, (denials, refused): (Vec<Denial>, Refused), n: usize, when: When) {
    let mut place = Place::new(&name, TRIAGE).await;
    if when == When::AnswerLost {
        place.set("AWS_MAX_ATTEMPTS", "3");
    }
    let batch = bodies(&denials);
    place.ledger.fault(n, when);
    place.deliver(&batch, SHORT).await;
    assert!(!place.ledger.is_waiting(), "{name}: it went wrong");

    let cases = place.cases().await;
    let counts: BTreeMap<&str, u64> = cases
        .iter()
        .map(|case| (case["diagnosis"]["action"].as_str().unwrap(), case["count"].as_u64().unwrap()))
        .collect();
    assert_eq!((counts, cases.len()), (refused.clone(), refused.len()), "{name}: each case once, and counted right");
    cases.iter().for_each(assert_told);
    everybody_heard(&name, &place, &refused).await;

    // Nothing is left to do, for anybody.
    let effects = place.ledger.effects();
    let done = place.function().await.batch(&batch, USUAL).await;
    let length = u64::try_from(batch.len()).unwrap();
    assert_eq!((done.failed.len(), done.counts), (0, Counts { duplicate: length, ..received(length) }), "{name}");
    assert_eq!(place.ledger.effects(), effects, "{name}");
}

/// At least once each; and twice at most once, namely where the one that died had told and not yet written so.
async fn everybody_heard(name: &str, place: &Place, refused: &Refused) {
    let mut published: BTreeMap<String, u64> = BTreeMap::new();
    for topic in [&place.notices, &place.alarms] {
        for envelope in topic.heard(&place.aws).await {
            let diagnosis: Value = serde_json::from_str(envelope["Message"].as_str().unwrap()).unwrap();
            *published.entry(diagnosis["action"].as_str().unwrap().to_owned()).or_default() += 1;
        }
    }
    let messages = place.slack.messages();
    // By the headline: a message may name other cases, too.
    let headlines: Vec<&str> = messages.iter().map(|message| message.versions[0]["text"].as_str().unwrap()).collect();
    let posted = |action: &str| headlines.iter().filter(|headline| headline.contains(action)).count();
    for action in refused.keys() {
        assert!(published.get(*action).is_some_and(|times| (1..=2).contains(times)), "{name}: {action}: {published:?}");
        assert!((1..=2).contains(&posted(action)), "{name}: {action}: {headlines:#?}");
    }
    let twice = published.values().filter(|times| **times == 2).count();
    assert!(twice <= 1, "{name}: {published:?}");
    assert!(messages.len() <= refused.len() + 1, "{name}: {headlines:#?}");
    for (message, headline) in messages.iter().zip(&headlines) {
        assert_eq!(
            message.channel == ALARMS,
            headline.contains("StopLogging"),
            "{name}: alarms have a channel of their own"
        );
    }
}

/// The update of a message is a courtesy and may be lost; the count may not.
#[tokio::test]
async fn while_joining() {
    let ways = [(1, When::Before), (1, When::After), (2, When::Before), (2, When::After)];
    let jobs = ways.map(|(n, when)| async move {
        let place = Place::new(&format!("joining-{n}-{when:?}"), TRIAGE).await;
        let call = || denial("bob", "GetTrailStatus");
        place.deliver(&[call().body()], USUAL).await;
        let key = format!("CASE#{}", place.case().await["id"].as_str().unwrap());
        place.turn(&key, |case| case["told"]["updated_at"] = json!(0)).await;
        place.ledger.fault(n, when);
        place.deliver(&[call().body()], SHORT).await;
        assert!(!place.ledger.is_waiting());
        let case = place.case().await;
        assert_eq!(case["count"], 2, "{n} {when:?}");
        assert_told(&case);
        assert_eq!(
            (place.notices.heard(&place.aws).await.len(), place.slack.channel(NOTICES).len()),
            (1, 1),
            "{n} {when:?}"
        );
        assert!(place.ledger.count(Kind::Update) <= 1);
    });
    side_by_side(AT_ONCE, jobs).await;
}

fn twelve_invented() -> Vec<Denial> {
    (0..12).map(|n| denial("mallory", "GetTrailStatus").on_trail(&format!("guess-{n}"))).collect()
}

/// A storm's one notice is as safe as a case's.
#[tokio::test]
async fn while_telling_of_a_storm() {
    flood::an_hour_with_room(Duration::from_secs(60)).await;
    let whole = Place::new("storm-whole", TRIAGE).await;
    whole.deliver(&bodies(&twelve_invented()), USUAL).await;
    let effects = whole.ledger.effects().len();
    assert_eq!(effects, 1 + 11 * 3, "one write of all, and topic, Slack, told for ten cases and the storm");
    let last = (effects - 2..=effects).flat_map(|n| [(n, When::Before), (n, When::After)]);
    let jobs = last.map(|(n, when)| async move {
        let place = Place::new(&format!("storm-{n}-{when:?}"), TRIAGE).await;
        let batch = bodies(&twelve_invented());
        place.ledger.fault(n, when);
        place.deliver(&batch, Duration::from_secs(10)).await;
        assert!(!place.ledger.is_waiting());
        let storms = place.documents("STORM").await;
        let [storm] = &storms.into_values().collect::<Vec<_>>()[..] else { panic!("one storm") };
        assert_eq!(storm["held"], 2, "{n} {when:?}");
        assert_told(storm);
        let cases = place.cases().await;
        assert_eq!(cases.len(), 10);
        cases.iter().for_each(assert_told);
        assert!((11..=12).contains(&place.notices.heard(&place.aws).await.len()), "{n} {when:?}");
        assert!((11..=12).contains(&place.slack.channel(NOTICES).len()), "{n} {when:?}");
    });
    side_by_side(AT_ONCE, jobs).await;
}
