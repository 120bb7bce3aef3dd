//! Floods: what many denials cost, and what an attacker who makes them up can't achieve.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tests::local::{
    denials::{Denial, denial},
    function::Counts,
    place::{ALARMS, NOTICES, Place},
    proxy::Kind,
};

use crate::{TRIAGE, assert_told, bodies, received};

/// Messages in a batch, as many as the template lets Lambda take.
const BATCH: usize = 1000;
const BATCHES: usize = 10;

/// How long a flood takes on the emulator is not what is tested here.
const LONG: Duration = Duration::from_secs(300);

/// Budgets belong to an hour. A test that counts what is left of one must not begin at the end of an hour.
pub async fn an_hour_with_room(room: Duration) {
    let left = || Duration::from_secs(3600 - SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() % 3600);
    while left() < room {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn effects(place: &Place) -> [usize; 4] {
    [Kind::Write, Kind::Publish, Kind::Post, Kind::Update].map(|kind| place.ledger.count(kind))
}

#[tokio::test]
async fn ten_thousand_denials_with_fifty_keys() {
    an_hour_with_room(Duration::from_secs(30)).await;
    let begun = Instant::now();
    let place = Place::new("fifty", TRIAGE).await;
    let keys: Vec<Denial> = (0..50)
        .map(|n| denial(&format!("user{}", n % 5), "GetTrailStatus").on_trail(&format!("trail-{}", n / 5)))
        .collect();
    let mut function = place.function().await;
    for batch in 0..BATCHES {
        let before = effects(&place);
        let denials: Vec<String> = keys.iter().cycle().take(BATCH).map(|key| key.another().body()).collect();
        let done = function.batch(&denials, LONG).await;
        assert!(done.failed.is_empty(), "{batch}: {done:?}");
        let posted = if batch == 0 { 50 } else { 0 };
        assert_eq!(done.counts, Counts { posted, joined: 1000 - posted, ..received(1000) });
        let [writes, publications, posts, _] = effects(&place);
        let cost = [writes - before[0], publications - before[1], posts - before[2]];
        // At first one write for the new cases of a principal, and one for each that was told; then one for each key.
        assert_eq!(cost, if batch == 0 { [5 + 50, 50, 50] } else { [50, 0, 0] }, "{batch}");
    }
    let minutes = usize::try_from(begun.elapsed().as_secs() / 60).unwrap();
    assert!(place.ledger.count(Kind::Update) <= 50 * minutes, "a message is updated once a minute at most");
    let cases = place.cases().await;
    assert_eq!(cases.len(), 50);
    for case in &cases {
        assert_told(case);
        assert_eq!(case["count"], 200);
        assert_eq!(case["event_ids"].as_array().unwrap().len(), 200);
    }
    assert_eq!((place.slack.messages().len(), place.notices.heard(&place.aws).await.len()), (50, 50));
    assert!(place.documents("STORM").await.is_empty());
}

#[tokio::test]
async fn invented_names_make_ten_cases_and_one_storm() {
    an_hour_with_room(Duration::from_secs(90)).await;
    let place = Place::new("invented", TRIAGE).await;
    let mut function = place.function().await;
    let mut last = Vec::new();
    for batch in 0..4_usize {
        let mut denials: Vec<Denial> = (0..BATCH - 2)
            .map(|n| denial("mallory", "GetTrailStatus").on_trail(&format!("guess-{batch}-{n}")))
            .collect();
        // In the middle of it all, what must not drown: an alarm by the same principal, and somebody else's denial.
        denials.insert(500, denial("mallory", "StopLogging").on_trail(&format!("audit-{batch}")));
        denials.insert(700, denial("bob", "GetTrailStatus").on_trail(&format!("trail-{batch}")));
        let before = effects(&place);
        last = bodies(&denials);
        let done = function.batch(&last, LONG).await;
        assert!(done.failed.is_empty(), "{batch}: {done:?}");
        let mallorys = if batch == 0 { 10 } else { 0 };
        let counts = Counts { posted: mallorys + 2, held: 998 - mallorys, ..received(1000) };
        assert_eq!(done.counts, counts, "{batch}");
        let [writes, publications, posts, _] = effects(&place);
        let told = if batch == 0 { 13 } else { 2 };
        assert_eq!([publications - before[1], posts - before[2]], [told, told], "{batch}");
        assert_eq!(writes - before[0], told + 2, "one write a principal, one for each that was told");
    }
    let storms: Vec<Value> = place.documents("STORM").await.into_values().collect();
    let [storm] = &storms[..] else { panic!("one storm: {storms:#?}") };
    assert_eq!(
        (&storm["held"], &storm["audience"], &storm["over"]),
        (&json!(4 * 998 - 10), &json!("notices"), &json!("principal"))
    );
    assert_told(storm);
    assert_eq!(storm["principals"].as_array().map(Vec::len), Some(1));
    assert!(storm["principals"][0].as_str().unwrap().ends_with(":user/mallory"), "{storm}");

    let heard = place.notices.heard(&place.aws).await;
    let told: Vec<Value> =
        heard.iter().map(|envelope| serde_json::from_str(envelope["Message"].as_str().unwrap()).unwrap()).collect();
    let storms = told.iter().filter(|message| message["schema"] == "trailpass.storm/1").count();
    assert_eq!((storms, told.len()), (1, 1 + 10 + 4), "one notice of the storm, ten of mallory's cases, four of bob's");
    assert_eq!(place.slack.channel(NOTICES).len(), 1 + 10 + 4);
    assert_eq!((place.alarms.heard(&place.aws).await.len(), place.slack.channel(ALARMS).len()), (4, 4));

    // Held back once is held back: what comes again isn't counted again.
    let before = effects(&place);
    let done = function.batch(&last, LONG).await;
    assert_eq!((done.failed.len(), done.counts), (0, Counts { duplicate: 1000, ..received(1000) }));
    assert_eq!(effects(&place), before);
    assert_eq!(place.documents("STORM").await.into_values().next().unwrap()["held"], json!(4 * 998 - 10));
}

#[tokio::test]
async fn a_flood_of_alarms_is_one_loud_storm() {
    an_hour_with_room(Duration::from_secs(60)).await;
    let place = Place::new("loud", TRIAGE).await;
    let mut denials: Vec<Denial> =
        (0..BATCH).map(|n| denial("mallory", "DeleteTrail").on_trail(&format!("guess-{n}"))).collect();
    denials.push(denial("mallory", "GetTrailStatus"));
    let mut function = place.function().await;
    let done = function.batch(&bodies(&denials), LONG).await;
    assert_eq!((done.failed.len(), done.counts), (0, Counts { posted: 11, held: 990, ..received(1001) }), "{done:?}");
    assert_eq!((place.alarms.heard(&place.aws).await.len(), place.slack.channel(ALARMS).len()), (11, 11));
    assert_eq!((place.notices.heard(&place.aws).await.len(), place.slack.channel(NOTICES).len()), (1, 1));
    let storms: Vec<Value> = place.documents("STORM").await.into_values().collect();
    let [storm] = &storms[..] else { panic!("one storm: {storms:#?}") };
    assert_eq!((&storm["held"], &storm["audience"]), (&json!(990), &json!("alarms")));
    assert_told(storm);
    let last = place.slack.channel(ALARMS).pop().unwrap();
    assert!(last.text().contains("ALARM") && last.text().contains("990"), "{}", last.text());
}

#[tokio::test]
async fn an_account_has_a_budget_of_its_own() {
    an_hour_with_room(Duration::from_secs(60)).await;
    let place = Place::new("account", TRIAGE).await;
    let denials: Vec<Denial> = (0..110)
        .map(|n| denial(&format!("user{:02}", n / 10), "GetTrailStatus").on_trail(&format!("trail-{}", n % 10)))
        .collect();
    let mut function = place.function().await;
    let done = function.batch(&bodies(&denials), LONG).await;
    assert_eq!((done.failed.len(), done.counts), (0, Counts { posted: 100, held: 10, ..received(110) }), "{done:?}");
    let storms: Vec<Value> = place.documents("STORM").await.into_values().collect();
    let [storm] = &storms[..] else { panic!("one storm: {storms:#?}") };
    assert_eq!((&storm["held"], &storm["over"]), (&json!(10), &json!("account")));
    assert_eq!(place.slack.channel(NOTICES).len(), 101);
    // The alarms' budget is untouched by it.
    let done = function.batch(&[denial("user11", "StopLogging").body()], LONG).await;
    assert_eq!(done.counts, Counts { posted: 1, ..received(1) });
    assert_eq!(place.slack.channel(ALARMS).len(), 1);
}
