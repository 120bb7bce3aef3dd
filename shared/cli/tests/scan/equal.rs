//! What `scan` counts is what `explain` says, record for record and failure for failure: `explain` is the plain, slow reader.

use proptest::{
    collection::vec,
    prelude::{Just, ProptestConfig, Strategy, any, prop, prop_oneof, proptest},
    sample::Index,
};
use serde_json::json;

use super::*;

/// One record, as text: what is usual, and everything that could make a reader take it for something else.
fn record() -> impl Strategy<Value = String> {
    let plain = prop_oneof![
        8 => any::<u16>().prop_map(|number| succeeded(number.into())),
        2 => any::<u16>().prop_map(|number| denied(number.into(), "cloudtrail:GetTrailStatus")),
        1 => any::<u16>().prop_map(|number| denied(number.into(), "cloudtrail:StopLogging")),
        1 => any::<u16>().prop_map(|number| denied(number.into(), "ec2:RunInstances")),
    ];
    let field = prop_oneof![
        Just(r#""errorCode":null"#),
        Just(r#""errorCode":5"#),
        Just(r#""errorMessage":"""#),
        Just(r#""error\u0043ode":"AccessDenied""#),
        Just(r#""errorCode":"ThrottlingException""#),
        Just(r#""Records":[]"#),
        Just(r#""Records":[{"eventVersion":"1","eventID":"x"},7]"#),
        Just(r#""Events":null"#),
        Just(r#""detail":{"eventVersion":"1","eventID":"x"}"#),
        Just(r#""detail":null"#),
        Just(r#""body":"{\"eventVersion\":\"1\",\"eventID\":\"x\",\"errorCode\":\"AccessDenied\"}""#),
        Just(r#""eventTime":"2026-10-05T08:00:01Z""#),
        Just(r#""userIdentity":{"type":"Root","type":"Root"}"#),
        Just(r#""x":{"type":1,"type":2}"#),
        Just(r#""resources":[{"arn":"a","ARN":"b"}]"#),
        Just(r#""requestParameters":{"a":1e999}"#),
        Just(r#""x":1e999"#),
        Just(r#""x":-0.0"#),
        Just(r#""x":01"#),
        Just(r#""x":tru"#),
        Just(r#""x":"\ud800""#),
        Just(r#""userAgent":"\ud800\ud801""#),
        Just(r#""userAgent":"\ud83d\ude00 é 漢 \u00e9""#),
        Just("\"userAgent\":\"a\tb\""),
        Just(r#""userAgent":"},{\"eventVersion\":\"1.08\",\"errorCode\":\"AccessDenied\"""#),
        Just(r#""x":[[[[[[{"a":[]}]]]]]]"#),
        Just(r#""x":]"#),
        Just(r#""x" 1"#),
    ];
    prop_oneof![
        6 => plain.clone().prop_map(|record| record.to_string()),
        1 => plain.clone().prop_map(|record| format!("{record:#}")),
        2 => (plain.clone(), field).prop_map(|(record, field)| record.to_string().replacen('{', &format!("{{{field},"), 1)),
        1 => (plain, any::<Index>(), any::<u8>()).prop_map(|(record, at, byte)| {
            let mut bytes = record.to_string().into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = byte & 0x7f;
            String::from_utf8(bytes).unwrap()
        }),
        1 => prop_oneof![Just("7"), Just("{}"), Just("null"), Just("[]"), Just("{\"a\":1}"), Just("\"text\"")].prop_map(str::to_owned),
    ]
}

/// One file: records in some form, packed or not, whole or not.
fn file() -> impl Strategy<Value = Vec<u8>> {
    let form = prop_oneof![
        6 => Just(("{\"Records\":[", ",", "]}")),
        1 => Just(("\u{feff}{\"Records\":[", ",", "]}")),
        1 => Just((" {\r\n \"Records\" : [ ", " ,\r\n ", " ] } \r\n")),
        1 => Just(("{\"Messages\":[", ",", "]}")),
        1 => Just(("{\"x\":1,\"Records\":[", ",", "],\"y\":2}")),
        1 => Just(("{\"Records\":[", ",", "]}{\"Records\":[]}")),
        1 => Just(("{\"Records\":[", ",", "],\"Records\":[]}")),
        1 => Just(("[", ",", "]")),
        2 => Just(("", "\n", "\n")),
        1 => Just(("", "\r\n", "")),
        1 => Just(("", "\u{c}", "")),
    ];
    let text = (form, vec(record(), 1..8))
        .prop_map(|((head, between, tail), records)| format!("{head}{}{tail}", records.join(between)).into_bytes());
    let spoiled = (text, any::<Index>(), any::<u8>(), 0..12_u8)
        .prop_map(|(mut text, at, byte, what): (Vec<u8>, Index, u8, u8)| {
            let at = at.index(text.len());
            match what {
                0 => text.truncate(at),
                1 => text[at] = byte,
                2 => text.insert(at, byte),
                _ => {}
            }
            text
        })
        .boxed();
    (spoiled.clone(), spoiled, any::<Index>(), 0..12_u8).prop_map(|(text, other, at, how)| match how {
        0..4 => text,
        4..8 => gzip(text),
        8 => [gzip(text), gzip(other)].concat(),
        // A member twice, and a tail that ends as the member does: what was unpacked is not all there is.
        9 => [gzip(&text), gzip(&text)].concat(),
        10 => {
            let packed = gzip(&text);
            let tail = packed[packed.len() - 8..].to_vec();
            [packed, tail].concat()
        }
        _ => {
            let mut packed = gzip(&text);
            packed.truncate(at.index(packed.len()));
            packed
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, max_shrink_iters: 300, ..ProptestConfig::default() })]

    #[test]
    fn scan_counts_what_explain_says(files in prop::collection::vec(file(), 1..5)) {
        let folder = Folder::new();
        let paths: Vec<String> = files.iter().enumerate().map(|(at, bytes)| folder.file(&format!("{at}.json"), bytes)).collect();
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        let explained = trailpass("explain", &[&["--format", "json"], &paths[..]].concat(), "");
        let scanned = scan_json(&paths);
        // Where a record is broken, explain takes the sentence in it for one that somebody pasted. scan counts records, and names such a text.
        let is_sentence = |line: &Value| line["event_id"].is_null() && line["event_time"].is_null();
        let sentences = explained.lines().into_iter().filter(is_sentence).count();
        let lines = explained.lines().into_iter().filter(|line| !is_sentence(line));
        assert_eq!(counted(&scanned), rules(lines), "{}\n{}", explained.said, scanned.said);
        // What was only repaired, or was empty, is no failure.
        let is_failure = |line: &&str| !line.contains("some bytes here are no valid text") && !line.contains("a list without a record");
        let failures = explained.said.lines().filter(is_failure).count();
        assert_eq!(scanned.summary()["failures"], json!(failures + sentences), "{}\n{}", explained.said, scanned.said);
        assert_eq!(scanned.status == Some(0), failures + sentences == 0);
    }
}

#[test]
fn every_sample_counts_as_it_is_explained() {
    let events = concat!(env!("CARGO_MANIFEST_DIR"), "/../../events/triage");
    let mut paths: Vec<String> = std::fs::read_dir(events)
        .unwrap()
        .map(|entry| entry.unwrap().path().to_str().unwrap().to_owned())
        .filter(|path| path.ends_with(".json"))
        .collect();
    paths.sort();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let explained = trailpass("explain", &[&["--format", "json"], &paths[..]].concat(), "");
    let scanned = scan_json(&[events]);
    assert!(explained.lines().len() > 150);
    assert_eq!(counted(&scanned), rules(explained.lines()));
    let mut responses = BTreeMap::new();
    for line in explained.lines() {
        *responses.entry(line["response"].as_str().unwrap().to_owned()).or_insert(0_u64) += 1;
    }
    assert_eq!(scanned.summary()["responses"], json!(responses));
    // Every denial is in one case, and a case says of its first denial what explain says.
    let summary = scanned.summary();
    let in_cases: u64 = scanned.cases().iter().map(|case| case["count"].as_u64().unwrap()).sum();
    assert_eq!(in_cases + summary["repeated"].as_u64().unwrap(), summary["denials"].as_u64().unwrap());
    for case in scanned.cases() {
        let of_case = |line: &&Value| line["event_id"] == case["event_id"] && line["rule"] == case["rule"];
        let explained = explained.lines();
        let line = explained.iter().find(of_case).expect("explain says the same of the same event");
        for name in ["response", "scenario", "risk", "action", "resource", "region", "account_id", "cause", "summary"] {
            // A long text is cut, and says so.
            let is_cut = case[name].as_str().and_then(|text| text.strip_suffix('…'));
            let is_same = match is_cut {
                Some(start) => line[name].as_str().unwrap().starts_with(start),
                None => case[name] == line[name],
            };
            assert!(is_same, "{name} of {}", case["event_id"]);
        }
        assert_eq!(case["fix"]["kind"], line["remedies"][0]["kind"]);
    }
}
