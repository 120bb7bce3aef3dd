//! What operators read: log lines and metrics, one JSON object a line.
//!
//! Decides the shape of both. Texts of callers get into logs (a session's name, a resource, AWS's sentence), so a line is built by a
//! JSON serialiser and nothing else: no text can end its line or its string, and each is cut at [`TEXT_BYTES`]. Metrics are CloudWatch's
//! [embedded metric format](https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html):
//! a log line that CloudWatch counts, without a call and without a permission.

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt;
use std::io::Write as _;
use std::time::UNIX_EPOCH;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;

/// Bytes of one text in a log line; the rest is cut off and `…` says so.
pub const TEXT_BYTES: usize = 2048;

/// The metrics' namespace in CloudWatch.
pub const NAMESPACE: &str = "Trailpass";

/// The target of lines that are kept as evidence: no level switches them off.
pub const AUDIT: &str = "trailpass::audit";

/// Where log lines go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// A function's logs, which Lambda collects there.
    Stdout,
    /// A command's, whose results are on standard output. A person reads them: the audit's lines are kept where the cases are, and are
    /// left out here.
    Stderr,
    /// The same of a command that changes something in AWS: whoever runs it keeps the audit's lines, too.
    StderrWithAudit,
}

/// Starts the log. `level` is the value of `TRAILPASS_LOG`: off, error, warn, info, debug or trace; `info` if absent or
/// anything else. Libraries' lines (AWS's SDK, HTTP, TLS) are written from `warn` up only: theirs below that name hosts and
/// headers. A second call changes nothing.
pub fn init(level: Option<&str>, output: Output) {
    let known = level.map(|text| text.trim().parse::<LevelFilter>());
    let ours = match known {
        Some(Ok(level)) => level,
        None | Some(Err(_)) => LevelFilter::INFO,
    };
    let theirs = ours.min(LevelFilter::WARN);
    let filter = Targets::new()
        .with_default(ours)
        .with_target(AUDIT, if output == Output::Stderr { LevelFilter::OFF } else { LevelFilter::INFO })
        .with_targets(["aws", "h2", "hyper", "lambda", "rustls", "tower"].map(|library| (library, theirs)));
    let lines = tracing_subscriber::fmt::layer().event_format(Lines);
    let started = match output {
        Output::Stdout => {
            tracing::subscriber::set_global_default(tracing_subscriber::registry().with(filter).with(lines))
        }
        Output::Stderr | Output::StderrWithAudit => tracing::subscriber::set_global_default(
            tracing_subscriber::registry().with(filter).with(lines.with_writer(std::io::stderr)),
        ),
    };
    if started.is_ok() && matches!(known, Some(Err(_))) {
        tracing::warn!("TRAILPASS_LOG is none of off, error, warn, info, debug, trace: info is used");
    }
}

/// What is counted. Of triage's batches `received = posted + joined + duplicate + held + ignored + failed`, of decide's requests
/// `received = decided + already + refused + unproved + shown + ignored + failed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// Records that came in.
    Received,
    /// Opened a case, whose notice was sent.
    Posted,
    /// Joined an open case.
    Joined,
    /// Seen before.
    Duplicate,
    /// Counted in a storm, beyond the budgets.
    Held,
    /// No denial, out of scope, or known noise; of requests: nothing to decide.
    Ignored,
    /// Could not be dealt with.
    Failed,
    /// Our own calls that AWS refused. Beside the sum.
    OwnDenials,
    /// Refusals of our own that have to come back, and have. Beside the sum.
    CanarySeen,
    /// Grants that IAM took.
    Given,
    /// Grants that are over.
    Ended,
    /// Grants whose time is over and that IAM has not let go of, each time they are seen so.
    Overdue,
    /// Decisions and revocations that nothing vouches for: somebody wrote them by hand.
    Unvouched,
    /// What hung on somebody under our names and nothing accounted for.
    Orphans,
    /// Answers that became a decision, or ended a grant early.
    Decided,
    /// Answers that came after somebody else's.
    Already,
    /// Answers, proved to be somebody's, that did not count.
    Refused,
    /// Requests that nobody is proved to have sent, lately and for us: forged, replayed, of no known form.
    Unproved,
    /// Pages of cases that were shown.
    Shown,
    /// Times that approvers or approval rules could not be used, beside the sum.
    InvalidRules,
    /// Answers by which somebody would have given themselves or an accomplice what they must not have, beside the sum.
    EscalationTries,
}

impl Metric {
    /// Its name in CloudWatch.
    pub fn name(self) -> &'static str {
        match self {
            Self::Received => "Received",
            Self::Posted => "Posted",
            Self::Joined => "Joined",
            Self::Duplicate => "Duplicate",
            Self::Held => "Held",
            Self::Ignored => "Ignored",
            Self::Failed => "Failed",
            Self::OwnDenials => "OwnDenials",
            Self::CanarySeen => "CanarySeen",
            Self::Given => "Given",
            Self::Ended => "Ended",
            Self::Overdue => "Overdue",
            Self::Unvouched => "Unvouched",
            Self::Orphans => "Orphans",
            Self::Decided => "Decided",
            Self::Already => "Already",
            Self::Refused => "Refused",
            Self::Unproved => "Unproved",
            Self::Shown => "Shown",
            Self::InvalidRules => "InvalidRules",
            Self::EscalationTries => "EscalationTries",
        }
    }
}

/// What one invocation has counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts(BTreeMap<Metric, u64>);

impl Counts {
    /// How many of one kind.
    pub fn count(&self, metric: Metric) -> u64 {
        self.0.get(&metric).copied().unwrap_or(0)
    }

    /// Those that a function tells of, whether there were any or not.
    pub fn each<const N: usize>(&self, metrics: [Metric; N]) -> [(Metric, u64); N] {
        metrics.map(|metric| (metric, self.count(metric)))
    }

    /// Counts so many more.
    pub fn add(&mut self, metric: Metric, count: u64) {
        *self.0.entry(metric).or_default() += count;
    }

    /// Takes another's counts in.
    pub fn join(&mut self, other: &Self) {
        for (metric, count) in &other.0 {
            self.add(*metric, *count);
        }
    }
}

/// Milliseconds since 1970.
pub fn milliseconds(time: std::time::SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH).ok().and_then(|since| i64::try_from(since.as_millis()).ok()).unwrap_or(0)
}

/// Prints one line of metrics on standard output. `function` is the only dimension, `now_ms` milliseconds since 1970.
pub fn emit(function: &str, now_ms: i64, values: &[(Metric, u64)]) {
    let line = metrics_line(function, now_ms, values);
    // A closed standard output is no reason to lose what the metrics are about.
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// The line that [`emit`] prints, without its end.
pub fn metrics_line(function: &str, now_ms: i64, values: &[(Metric, u64)]) -> String {
    let metrics: Vec<Value> =
        values.iter().map(|(metric, _)| json!({"Name": metric.name(), "Unit": "Count"})).collect();
    let mut line = Map::new();
    line.insert(
        "_aws".to_owned(),
        json!({
            "Timestamp": now_ms,
            "CloudWatchMetrics": [{"Namespace": NAMESPACE, "Dimensions": [["Function"]], "Metrics": metrics}],
        }),
    );
    line.insert("Function".to_owned(), Value::from(function));
    for (metric, value) in values {
        line.insert(metric.name().to_owned(), Value::from(*value));
    }
    Value::Object(line).to_string()
}

/// `{"time":…,"level":…,"target":…,"message":…, …the event's fields}`
struct Lines;

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        let mut line = Map::new();
        event.record(&mut Fields(&mut line));
        // After the fields, so that none of them can stand in the place of these.
        line.insert("time".to_owned(), Value::from(time));
        line.insert("level".to_owned(), Value::from(event.metadata().level().as_str()));
        line.insert("target".to_owned(), Value::from(event.metadata().target()));
        writeln!(writer, "{}", visible(&Value::Object(line).to_string()))
    }
}

/// JSON's escapes end at U+001F. What else moves a terminal's cursor, ends a line in some viewer, or turns the direction of reading
/// is escaped, too; in a JSON text such a character can only stand in a string.
fn visible(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    for c in line.chars() {
        match c {
            '\u{7f}'..='\u{9f}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            _ => out.push(c),
        }
    }
    out
}

struct Fields<'a>(&'a mut Map<String, Value>);

impl Fields<'_> {
    fn put(&mut self, field: &Field, value: Value) {
        self.0.insert(field.name().to_owned(), value);
    }
}

impl Visit for Fields<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, Value::from(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, Value::from(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, Value::from(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, Value::from(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, Value::from(cut(value)));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, Value::from(cut(&format!("{value:?}"))));
    }
}

fn cut(text: &str) -> String {
    if text.len() <= TEXT_BYTES {
        return text.to_owned();
    }
    let kept = text.get(..text.floor_char_boundary(TEXT_BYTES)).unwrap_or_default();
    format!("{kept}…")
}

#[cfg(test)]
mod tests {
    use super::{Lines, Metric, TEXT_BYTES, metrics_line};
    use serde_json::Value;
    use std::io::Write;
    use std::sync::{Arc, Mutex};
    use tracing_subscriber::layer::SubscriberExt as _;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(write: impl FnOnce()) -> Vec<Value> {
        let sink = Sink::default();
        let writer = sink.clone();
        let layer = tracing_subscriber::fmt::layer().event_format(Lines).with_writer(move || writer.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), write);
        let bytes = sink.0.lock().unwrap().clone();
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.ends_with('\n'));
        assert!(!text.contains(['\u{1b}', '\u{9b}', '\u{2028}', '\u{202e}']), "{text}");
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_hostile_text_stays_in_its_string() {
        let hostile = "x\n{\"level\":\"ERROR\"}\r\u{1b}[2J\u{9b}2J\u{2028}\u{202e}\"";
        let lines = logged(
            || tracing::warn!(level = "OFF", time = 0, session = hostile, name = %hostile, count = 3, "a {hostile} b"),
        );
        assert_eq!(lines.len(), 1);
        let line = &lines[0];
        assert_eq!(line["session"], hostile);
        assert_eq!(line["name"], hostile);
        assert_eq!(line["message"], format!("a {hostile} b"));
        assert_eq!(line["count"], 3);
        assert_eq!(line["level"], "WARN");
        assert!(line["time"].as_str().unwrap().ends_with('Z'), "{line}");
    }

    #[test]
    fn a_long_text_is_cut() {
        let long = "é".repeat(TEXT_BYTES);
        let lines = logged(|| tracing::info!(long, "{long}"));
        for field in ["long", "message"] {
            let text = lines[0][field].as_str().unwrap();
            assert!(text.len() <= TEXT_BYTES + '…'.len_utf8() && text.ends_with("é…"), "{}", text.len());
        }
    }

    #[test]
    fn metrics_are_cloudwatchs() {
        let line = metrics_line("triage", 1_790_000_000_123, &[(Metric::Received, 3), (Metric::OwnDenials, 0)]);
        assert!(!line.contains('\n'));
        let line: Value = serde_json::from_str(&line).unwrap();
        let expected = serde_json::json!({
            "_aws": {
                "Timestamp": 1_790_000_000_123_i64,
                "CloudWatchMetrics": [{
                    "Namespace": "Trailpass",
                    "Dimensions": [["Function"]],
                    "Metrics": [{"Name": "Received", "Unit": "Count"}, {"Name": "OwnDenials", "Unit": "Count"}],
                }],
            },
            "Function": "triage", "Received": 3, "OwnDenials": 0,
        });
        assert_eq!(line, expected);
    }
}
