//! Bad input: each failure is named with its place, and everything else is done.

use std::process::Command;

use serde_json::json;

use super::*;

#[track_caller]
fn assert_reads(ran: &Ran, ids: &[&str], failure: &str) {
    assert_eq!((ran.event_ids(), ran.status), (ids.iter().map(|id| Value::from(*id)).collect(), Some(1)), "{ran:#?}");
    ran.assert_says(failure);
    assert_eq!(ran.said.lines().count(), 1, "{ran:#?}");
}

#[test]
fn a_missing_file_among_several() {
    let folder = Folder::new("missing");
    let (one, two) = (folder.file("1.json", denied(1).to_string()), folder.file("2.json", denied(2).to_string()));
    let ran = explain(&["--format", "json", &one, "nowhere/x.json", &two], "");
    assert_reads(&ran, &["e-1", "e-2"], "trailpass: nowhere/x.json: there is no such file");
}

#[test]
fn a_directory_and_a_sentence_in_the_place_of_a_file() {
    let folder = Folder::new("directory");
    let ran = explain(&[folder.path().to_str().unwrap(), SENTENCE], "");
    assert_eq!((ran.status, ran.out.as_str()), (Some(1), ""));
    ran.assert_says("a directory. Name the files in it");
    ran.assert_says("To explain a sentence, pipe it in");
}

#[test]
fn a_broken_line_in_the_middle() {
    let two = denied(2).to_string();
    for (name, line, failure) in [
        ("cut in a string", &two[..300], "standard input, line 2, column 301: not JSON: a line ends inside a string"),
        (
            "cut before its end",
            &two[..two.len() - 1],
            "line 3, column 1: not JSON: a comma or a closing bracket is missing",
        ),
        (
            "cut behind a comma",
            "{\"eventName\":\"x\",",
            "line 3, column 1: not JSON: a name in double quotes is missing",
        ),
        (
            "cut behind a colon",
            "{\"eventName\":",
            "line 4, column 1: not JSON: a comma or a closing bracket is missing",
        ),
        (
            "a bracket too many",
            "{\"eventName\":[\"x\"}",
            "line 2, column 18: not JSON: this bracket closes what is not open",
        ),
        (
            "a quote too many",
            "{\"eventName\":\"x\"y\"}",
            "line 2, column 17: not JSON: a comma or a closing bracket is missing",
        ),
        ("a word that is none", "{\"eventName\":nil}", "line 2, column 15: not JSON as CloudTrail writes it"),
        ("nested too deep", &"[".repeat(9000), "line 2, column 129: not JSON: this is nested more than 127 deep"),
        (
            "no JSON at all",
            "garbage",
            "line 2, column 1: neither CloudTrail records in JSON nor the text of an access-denied error",
        ),
        ("no record", "{\"a\":1}", "line 2, column 1: neither a CloudTrail record nor"),
        (
            "Python",
            &format!("{{'eventSource': 'cloudtrail.amazonaws.com', 'errorMessage': '{SENTENCE}'}}"),
            "It looks like a Python dict",
        ),
    ] {
        let ran = explain_json(format!("{}\n{line}\n{}\n{}\n", denied(1), denied(3), denied(4)));
        assert_eq!(
            (ran.event_ids(), ran.status),
            (vec!["e-1".into(), "e-3".into(), "e-4".into()], Some(1)),
            "{name}: {ran:#?}"
        );
        assert!(ran.said.contains(failure) && ran.said.lines().count() == 1, "{name}: {}", ran.said);
    }
}

#[test]
fn a_broken_first_line_hides_nothing() {
    assert_reads(&explain_json(format!("garbage\n{}\n", denied(1))), &["e-1"], "line 1, column 1: neither");
    assert_reads(
        &explain_json(format!("{{\"a\"\n{}\n", denied(1))),
        &["e-1"],
        "line 2, column 1: not JSON: a colon is missing",
    );
}

#[test]
fn a_broken_record_in_a_log_file() {
    let log = json!({ "Records": (1..=4).map(denied).collect::<Vec<_>>() });
    let (long, lines) = (log.to_string(), serde_json::to_string_pretty(&log).unwrap());
    let ids = ["e-1", "e-3", "e-4"];
    let broken = long.replace("\"eventID\":\"e-2\"", "\"eventID\":\"e\"-2\"");
    assert_reads(&explain_json(broken), &ids, "not JSON: a comma or a closing bracket is missing");
    let broken = long.replace("\"eventID\":\"e-2\"", "\"eventID\":\"e-2");
    assert_reads(&explain_json(broken), &ids, "not JSON: a comma or a closing bracket is missing");
    let broken = lines.replace("\"eventID\": \"e-2\",", "\"eventID\": \"e-2\"");
    let begin =
        |number: usize| broken.lines().enumerate().filter(|(_, line)| *line == "    {").nth(number).unwrap().0 + 1;
    let said = format!(
        "What begins at line {}, column 5 is left out; reading goes on at line {}, column 5.",
        begin(1),
        begin(2)
    );
    assert_reads(&explain_json(&broken), &ids, &said);
    let strange = long.replace("\"Records\":[", "\"Records\":[7,\"x\",{},");
    let ran = explain_json(strange);
    assert_eq!(
        (ran.event_ids().len(), ran.said.matches("neither a CloudTrail record nor").count(), ran.status),
        (4, 3, Some(1))
    );
}

#[test]
fn nothing_inside_a_broken_record_is_taken_for_a_record() {
    let inner =
        json!([{ "eventName": "StopLogging", "eventSource": "cloudtrail.amazonaws.com", "errorCode": "AccessDenied" }]);
    let record = serde_json::to_string_pretty(&with(denied(1), "requestParameters", json!({ "x": inner }))).unwrap();
    let broken = record.replace("\"awsRegion\": ", "\"awsRegion\" ");
    assert!(broken.contains("\n      {\n"));
    let line = broken.lines().position(|line| line.contains("\"awsRegion\" ")).unwrap() + 1;
    let next = serde_json::to_string_pretty(&denied(2)).unwrap();
    assert_reads(
        &explain_json(format!("{broken}\n{next}\n")),
        &["e-2"],
        &format!("line {line}, column 15: not JSON: a colon is missing here"),
    );
    let log = format!("{{\n\"Records\": [\n{broken},\n{next}\n]\n}}\n").replace('\n', "\n ");
    assert_reads(&explain_json(log), &["e-2"], "not JSON: a colon is missing here");
}

#[test]
fn positions_count_characters_in_the_whole_input() {
    let ran = explain_json(format!("[{},{{\"eventName\":\"ü\",\"x\":nil}}]", with(denied(1), "userAgent", "üüü")));
    let column = with(denied(1), "userAgent", "uuu").to_string().len() + "[,{\"eventName\":\"u\",\"x\":n".len() + 1;
    assert_reads(&ran, &["e-1"], &format!("standard input, line 1, column {column}: "));
}

#[test]
fn commas_that_are_missing_between_records() {
    let list = format!("[{}{}]", denied(1), denied(2));
    assert_reads(
        &explain_json(list),
        &["e-1", "e-2"],
        "a comma or a closing bracket is missing here. What follows is read all the same.",
    );
}

#[test]
fn what_is_cut_off_is_read_as_far_as_it_goes() {
    let log = json!({ "Records": [denied(1), denied(2), denied(3)] }).to_string();
    let at = log.find("e-3").unwrap();
    assert_reads(
        &explain_json(&log[..at]),
        &["e-1", "e-2"],
        &format!("line 1, column {}: the input ends before its JSON does", at + 1),
    );
    assert_reads(&explain_json(&log[..log.len() - 2]), &["e-1", "e-2", "e-3"], "cut off. What comes before is read.");
}

#[test]
fn cut_off_gzip_names_the_byte() {
    let folder = Folder::new("cut");
    // Records that differ, so that they don't all stand in one block.
    let records: Vec<_> =
        (0..3000_u32).map(|n| with(denied(n), "requestID", format!("{:x}", n.wrapping_mul(2_654_435_761)))).collect();
    let packed = gzip(json!({ "Records": records }).to_string());
    let path = folder.file("x.json.gz", &packed[..packed.len() / 2]);
    let ran = explain(&["--format", "json", &path], "");
    let failure = format!(
        "trailpass: {path}: byte {}: the gzip data ends here, before its end: the file is cut off",
        packed.len() / 2
    );
    ran.assert_says(&failure);
    assert_eq!((ran.status, ran.said.lines().count()), (Some(1), 1));
    let read = ran.event_ids();
    assert!(read.len() > 500 && read.len() < 3000, "{}", read.len());
    assert_eq!((&read[0], &read[499]), (&"e-0".into(), &"e-499".into()));
}

#[test]
fn damaged_gzip_is_said_even_where_it_shows_as_broken_json() {
    let mut packed = gzip(json!({ "Records": [denied(1)] }).to_string());
    let middle = packed.len() / 2;
    packed[middle] ^= 0xFF;
    let ran = explain_json(&packed);
    assert_eq!(ran.status, Some(1));
    ran.assert_says("standard input: byte ");
}

#[test]
fn large_lines() {
    let large = with(denied(1), "requestParameters", json!({ "x": "y".repeat(5_000_000) }));
    let ran = explain_json(format!("{large}\n{}", denied(2)));
    assert_eq!((ran.event_ids(), ran.status), (vec!["e-1".into(), "e-2".into()], Some(0)));
    let ran = explain_json(format!("{}\n{}\n", "x".repeat(5_000_000), denied(2)));
    assert_reads(&ran, &["e-2"], "line 1, column 1: neither CloudTrail records");
    let huge = with(denied(1), "requestParameters", json!({ "x": "y".repeat(20_000_000) }));
    assert_reads(
        &explain_json(format!("{huge}\n{}", denied(2))),
        &["e-2"],
        "line 1, column 1: this value is larger than 16 MiB",
    );
}

/// A gzip bomb, read under a limit of memory that it would burst. What the program itself takes on the way in, which grows with what it
/// can do, is not what a bomb costs: only data counts.
#[test]
#[cfg(target_os = "linux")]
fn a_bomb_costs_no_memory() {
    let folder = Folder::new("bomb");
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(b"{\"eventName\":\"").unwrap();
    (0..100).for_each(|_| encoder.write_all(&[b'x'; 1 << 20]).unwrap());
    encoder.write_all(b"\"}\n").unwrap();
    encoder.write_all(denied(2).to_string().as_bytes()).unwrap();
    let path = folder.file("bomb.gz", encoder.finish().unwrap());
    let output = Command::new("sh")
        .args([
            "-c",
            "ulimit -d 40000; exec \"$0\" explain --format json \"$1\"",
            env!("CARGO_BIN_EXE_trailpass"),
            &path,
        ])
        .output()
        .unwrap();
    assert_reads(&Ran::of(output), &["e-2"], "this value is larger than 16 MiB");
}

#[test]
fn nothing_to_read() {
    for input in ["", " \r\n\t\n", "\u{feff}"] {
        let ran = explain(&[], input);
        assert_eq!((ran.status, ran.out.as_str()), (Some(1), ""), "{input:?}");
        ran.assert_says("standard input: empty. Expected are CloudTrail records");
    }
    let ran = explain(&[], gzip(""));
    assert_eq!(ran.status, Some(1));
    ran.assert_says("standard input: empty");
    let ran = explain(&[], "{\"Records\":[]}");
    assert_eq!((ran.status, ran.out.as_str()), (Some(0), ""));
    ran.assert_says("a list without a record in it");
}

#[test]
fn formats_that_are_no_text_are_named() {
    let utf16: Vec<u8> = denied(1).to_string().encode_utf16().fold(vec![0xFF, 0xFE], |mut bytes, unit| {
        bytes.extend(unit.to_le_bytes());
        bytes
    });
    for (input, name) in [
        (utf16, "UTF-16 text, as PowerShell's > writes it: save it as UTF-8"),
        (b"PK\x03\x04rest".to_vec(), "a ZIP archive: unpack it first"),
        (gzip(gzip(denied(1).to_string())), "gzip inside gzip"),
        (b"<html></html>".to_vec(), "It looks like HTML"),
        (b"7".to_vec(), "neither CloudTrail records"),
        (b"\x00\x01\x02\xff".to_vec(), "neither CloudTrail records"),
    ] {
        let ran = explain(&[], input);
        assert_eq!((ran.status, ran.out.as_str()), (Some(1), ""));
        ran.assert_says(name);
    }
}

/// A refusal whose code can't be read must not pass for a call that succeeded.
#[test]
fn an_error_of_another_type() {
    for name in ["errorCode", "errorMessage"] {
        let log = json!({ "Records": [denied(1), with(denied(2), name, 5), denied(3)] });
        assert_reads(&explain_json(log.to_string()), &["e-1", "e-3"], "invalid type: integer `5`, expected a string");
        assert_eq!(explain_json(with(denied(1), name, Value::Null).to_string()).status, Some(0));
    }
}

#[test]
fn records_that_lack_what_others_have() {
    let mut bare = denied(1);
    bare.as_object_mut().unwrap().remove("userIdentity");
    let mut typeless = denied(2);
    typeless["userIdentity"].as_object_mut().unwrap().remove("type");
    let mut strange = denied(3);
    strange["userIdentity"]["type"] = "Martian".into();
    let wrong = with(with(denied(4), "userIdentity", 7), "requestParameters", "text");
    let ran = explain_json(format!("{bare}\n{typeless}\n{strange}\n{wrong}"));
    assert_eq!((ran.status, ran.said.as_str()), (Some(0), ""));
    assert_eq!(ran.members("response"), vec!["suggest-fix"; 4]);
    assert!(ran.members("principal").iter().all(|principal| principal["kind"] == "unknown"), "{}", ran.out);
}
