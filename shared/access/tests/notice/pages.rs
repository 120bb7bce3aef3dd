//! The pages: ours alone, readable, and with a policy that holds.

use std::collections::BTreeMap;

use access::{
    diagnosis::Response,
    notice::{
        html,
        sns::TopicFormat,
        storm::{HeldCall, Storm, StormReason},
        text::Style,
    },
};
use sha2::{Digest, Sha256};

use crate::world::{TRAIL, World, is_dangerous, mateo};

/// A tokenizer as small as the pages need: every `<` begins a tag of ours, with attributes of ours.
pub fn check_page(page: &str) {
    const TAGS: &str = "html head meta title style body header div strong span nav a main footer h1 h2 h3 p section article ol ul li \
                        dl dt dd pre code details summary blockquote br";
    const ATTRIBUTES: &str =
        "lang charset http-equiv content name class href id aria-labelledby aria-label tabindex role rel";
    let (before, style_and_rest) = page.split_once("<style>").expect("a style sheet");
    let (_, after) = style_and_rest.split_once("</style>").expect("its end");
    let rest = format!("{before}{after}");
    let rest = rest.strip_prefix("<!DOCTYPE html>").expect("a doctype");
    for piece in rest.split('<').skip(1) {
        let (tag, text) = piece.split_once('>').expect("a closed tag");
        assert!(!text.contains('>'), "a raw angle bracket: {text:?}");
        let tag = tag.strip_prefix('/').unwrap_or(tag);
        let (name, mut attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        assert!(TAGS.split_whitespace().any(|known| known == name), "a tag that is not ours: {name:?}");
        while let Some((attribute, rest)) = attributes.split_once("=\"") {
            let (value, rest) = rest.split_once('"').expect("a closed value");
            let attribute = attribute.trim();
            assert!(ATTRIBUTES.split_whitespace().any(|known| known == attribute), "{attribute:?}");
            if attribute == "href" {
                let id = value.strip_prefix("case/").unwrap_or(value);
                let is_id = !id.is_empty()
                    && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
                assert!(
                    value == "../" || value.starts_with("https://docs.aws.amazon.com/") || is_id,
                    "a link to {value:?}"
                );
            }
            attributes = rest;
        }
        assert!(attributes.trim().is_empty(), "{attributes:?}");
    }
    assert!(!page.chars().any(|c| c != '\n' && is_dangerous(c)), "{page:?}");
}

pub fn style_of(page: &str) -> &str {
    page.split_once("<style>").and_then(|(_, rest)| rest.split_once("</style>")).expect("a style sheet").0
}

#[test]
fn the_policy_allows_the_one_style_sheet_and_nothing_else() {
    let page = html::page(&mateo(Response::SuggestFix).alone());
    let policy = html::content_security_policy();
    let hash = policy
        .strip_prefix("default-src 'none'; style-src 'sha256-")
        .and_then(|rest| rest.strip_suffix("'; base-uri 'none'; form-action 'none'"))
        .expect("a policy of this form");
    // Decoded here rather than encoded again, so that a wrong encoder does not agree with itself.
    let bits: String = hash
        .trim_end_matches('=')
        .chars()
        .map(|c| {
            format!(
                "{:06b}",
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".find(c).expect("base64")
            )
        })
        .collect();
    let bytes: Vec<u8> = (0..32).map(|n| u8::from_str_radix(&bits[n * 8..n * 8 + 8], 2).expect("bits")).collect();
    assert_eq!(bytes, Sha256::digest(style_of(&page).as_bytes()).to_vec());
    assert!(page.contains(&format!("content=\"{policy}\"")), "the page says its policy itself");
    for outside in ["<script", " style=", "url(", "@import", " src="] {
        assert!(!page.contains(outside), "{outside} on the page");
    }
}

#[test]
fn colours_can_be_told_apart() {
    let page = html::page(&mateo(Response::SuggestFix).alone());
    let (light, dark) = style_of(&page).split_once("prefers-color-scheme: dark").expect("two schemes");
    for scheme in [light, dark] {
        let luminance = |name: &str| {
            let hex = scheme.split_once(&format!("--{name}: #")).expect(name).1;
            let channel = |at: usize| {
                let value = f64::from(u8::from_str_radix(&hex[at..at + 2], 16).expect("hex")) / 255.0;
                if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
            };
            0.2126 * channel(0) + 0.7152 * channel(2) + 0.0722 * channel(4)
        };
        let pairs = [
            ("text", "ground"),
            ("text", "surface"),
            ("text", "sunken"),
            ("muted", "ground"),
            ("muted", "surface"),
            ("link", "ground"),
            ("link", "surface"),
            ("on-alarm", "alarm"),
            ("on-ask", "ask"),
            ("on-fix", "fix"),
            ("on-calm", "calm"),
        ];
        for (front, back) in pairs {
            let (a, b) = (luminance(front), luminance(back));
            let contrast = (a.max(b) + 0.05) / (a.min(b) + 0.05);
            assert!(contrast >= 4.5, "{front} on {back}: {contrast:.2}");
        }
    }
}

#[test]
fn a_page_has_its_landmarks_and_says_everything() {
    let world = mateo(Response::RequestApproval);
    let page = html::page(&world.in_case());
    check_page(&page);
    for part in ["<html lang=\"en\">", "<main>", "<header", "<nav", "<footer", "<h1>", "name=\"viewport\""] {
        assert_eq!(page.matches(part).count(), 1, "{part}");
    }
    for fact in [
        "mateojackson",
        TRAIL,
        "203.0.113.7",
        "AWS CLI",
        "CloudFormation",
        "Terraform",
        "b2w8nearlier",
        "CT101",
        "Approval asked",
    ] {
        assert!(page.contains(fact), "{fact} is missing");
    }
    assert!(page.contains("href=\"k7q2other\""), "the principal's other case is linked");
    assert!(!html::page(&world.alone()).contains("<nav"), "a lone record has no list to go back to");
}

#[test]
fn the_list_is_newest_first_and_tells_an_empty_one_what_to_do() {
    let (first, second, third) = (mateo(Response::SuggestFix), mateo(Response::RaiseAlarm), mateo(Response::Ignore));
    fn row<'a>(id: &'a str, world: &'a World, last_seen: &'a str) -> html::Row<'a> {
        html::Row::Case(html::CaseRow {
            id,
            diagnosis: &world.diagnosis,
            count: 1,
            last_seen,
            stands: html::Stands::Open,
        })
    }
    let storm = Storm {
        account_id: "123456789012",
        opened_at: "2026-10-05T08:30:00Z",
        held: 12,
        principals: &[],
        actions: &BTreeMap::new(),
        calls: &[],
        kept_as: String::new(),
        reason: StormReason::AccountBudget,
        alarm: true,
    };
    let page = html::index(
        &[
            row("older", &first, "2026-10-05T08:00:01Z"),
            row("newer", &second, "2026-10-05T09:00:00Z"),
            html::Row::Storm(&storm),
            row("../evil", &third, "2026-10-04T09:00:00Z"),
        ],
        html::Doors::default(),
    );
    check_page(&page);
    let places: Vec<_> =
        ["case/newer", "12 held", "case/older", "Ignored"].map(|text| page.find(text).expect(text)).into();
    assert!(places.is_sorted(), "{places:?}");
    assert!(!page.contains("evil\""), "an id that climbs is no link");
    assert!(page.contains("2 alarms, 1 is to be fixed by hand, 1 is ignored"));
    let empty = html::index(&[], html::Doors { post: Some("http://127.0.0.1:8080/denials"), folder: Some("./inbox") });
    check_page(&empty);
    assert!(
        empty.contains("curl --data-binary @denial.json http://127.0.0.1:8080/denials") && empty.contains("./inbox")
    );
}

#[test]
fn a_storm_is_loud_only_where_alarms_are_in_it() {
    let names = ["IAM user mallory".to_owned()];
    let actions =
        BTreeMap::from([("cloudtrail:GetTrail".to_owned(), 2), ("cloudtrail:GetTrailStatus".to_owned(), 130)]);
    let text = |text: &str| Some(text.to_owned());
    let calls = [
        HeldCall { action: text("cloudtrail:ListTags"), resource: None, principal: None, event_id: None, time: None },
        HeldCall {
            action: text("cloudtrail:GetTrail"),
            resource: text("arn:aws:cloudtrail:eu-west-1:123456789012:trail/audit"),
            principal: text("arn:aws:iam::123456789012:user/mallory"),
            event_id: text("4f0f8ef4-24b4-4300-8539-59a199c60aa0"),
            time: text("2026-10-05T08:31:02Z"),
        },
    ];
    let calm = Storm {
        account_id: "123456789012",
        opened_at: "2026-10-05T08:30:00Z",
        held: 132,
        principals: &names,
        actions: &actions,
        calls: &calls,
        kept_as: "STORM#123456789012/notices/497224".to_owned(),
        reason: StormReason::PrincipalBudget,
        alarm: false,
    };
    let loud = Storm { alarm: true, ..calm.clone() };
    assert!(calm.text(Style::Plain).starts_with("STORM: 132 more denials"));
    assert!(loud.text(Style::Plain).starts_with("!!! ALARM !!! 132"));
    assert_eq!(calm.publish(TopicFormat::Email).attributes[0], ("response", "suggest-fix".to_owned()));
    assert_eq!(loud.publish(TopicFormat::Email).attributes[0], ("response", "raise-alarm".to_owned()));
    // What is held is named: the most frequent action first, and enough of the last calls to find them.
    for said in [calm.text(Style::Plain), calm.slack().to_string()] {
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ").replace('`', "");
        let held = ["user mallory", "GetTrailStatus (130), cloudtrail:GetTrail (2)", "trail/audit", "59a199c60aa0"];
        for word in held.into_iter().chain(["last 64 are kept", "STORM#123456789012/notices/497224"]) {
            assert!(said.contains(word), "{word}: {said}");
        }
    }
    let message: serde_json::Value = serde_json::from_str(&calm.publish(TopicFormat::Email).message).unwrap();
    let document: serde_json::Value = serde_json::from_str(message["default"].as_str().unwrap()).unwrap();
    assert_eq!(document["actions"]["cloudtrail:GetTrailStatus"], 130);
    assert_eq!(document["calls"][0]["event_id"], "4f0f8ef4-24b4-4300-8539-59a199c60aa0");
}
