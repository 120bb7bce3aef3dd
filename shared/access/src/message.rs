//! AWS's access-denied sentence, read without trusting it: who was refused which action on what, and which
//! kind of policy decided.
//!
//! It exists because this sentence is often the only place where AWS says *why* it refused, and because a
//! part of it was written by the caller: names of sessions and resources stand in it as they came. So the
//! place of a clause decides and never its mere presence, and what cannot be told is [`Reason::Unrecognised`].
//!
//! The forms: <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>, and for the
//! id at the end <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied-authorization-id.html>.
//!
//! # What the text alone cannot tell
//!
//! A name that holds a fake clause makes a text like AWS's own in two places: where AWS writes no clause at
//! all, so that the name ends the sentence, and where the cut at 1 KB falls just behind the fake. Whoever acts
//! on a [`Reason::Clause`] therefore compares the resource with the request's (the fake leaves a proper
//! prefix of it) and insists on names that are legal for their type: none of CloudTrail's holds a space, and
//! none is long enough to reach the cut.

use std::borrow::Cow;

use memchr::memmem;

use crate::arn::Arn;
use crate::diagnosis::{Effect, PolicyType};

/// From this many bytes on a message may have been cut: CloudTrail keeps 1 KB of it.
pub const CUT_AT: usize = 1000;

/// What one access-denied sentence says. All of it is text: who called is `userIdentity`'s to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentence {
    /// An ARN, an account id or `anonymous`, as the sentence names the caller.
    pub principal: Option<String>,
    /// The action as IAM spells it: the service in lower case, the name as it stands.
    pub action: String,
    /// An ARN, `*`, a bare name or IAM's free text (`user bob`), without quotes. `None` where the sentence
    /// names none ("on this resource"), or where it breaks off inside the name: half a name is a wrong name.
    /// Beside [`Reason::Unrecognised`] it may be any text.
    pub resource: Option<String>,
    /// What the end of the sentence says about the why.
    pub reason: Reason,
    /// The denying policy: a legal ARN that is surely whole, else `None`.
    pub policy_arn: Option<String>,
    /// How many things behind the verb look like a reason clause. More than one: somebody may have written one of them.
    pub clauses: usize,
    /// The API operation, where the wrapping of a tool or an SDK names it.
    pub operation: Option<String>,
}

/// What the end of the sentence says about the why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// A whole clause stands at the end.
    Clause {
        /// Whether something denied or nothing allowed.
        effect: Effect,
        /// `None` where no kind is named, or one that is not known here.
        policy_type: Option<PolicyType>,
    },
    /// The old form: whole, and it ends behind the action or the resource.
    None,
    /// The sentence breaks off, or is so long that it may have been cut.
    Cut,
    /// Something else stands there, or it cannot be told where the resource ends.
    Unrecognised,
}

/// Reads the first sentence of a message; `None` where it holds none.
pub fn parse(message: &str) -> Option<Sentence> {
    let plain = on_one_line(message);
    let lower = plain.to_ascii_lowercase();
    let text = Text { plain: &plain, lower: &lower }.without_quotes();
    // The first one, should there be more. Before the real verb stand only AWS's own words and a principal,
    // whose name can hold no space; behind it stands the resource, which can hold anything. Taking the last
    // would let a resource's name choose the principal and the action.
    let (before, said) = text.split_once("is not authorized to perform:")?;
    let count = |words: &str| memmem::find_iter(said.lower.as_bytes(), words).count();
    let clauses = count("because ") + count("with an explicit deny");
    let (principal, quote) = principal(before);
    let (said, end) = without_tail(said, quote, message.len() >= CUT_AT);
    let said = said.trim_start();
    let (action, rest) = said.split_at(said.lower.find(' ').unwrap_or(said.lower.len()))?;
    if rest.lower.is_empty() && end.broken {
        return None;
    }
    let action = as_iam_spells_it(action.plain)?;
    let (resource, reason, policy_arn) = resource_and_reason(rest, end);
    Some(Sentence {
        principal,
        action,
        resource: resource.map(str::to_owned),
        reason,
        policy_arn: policy_arn.map(str::to_owned),
        clauses,
        operation: operation(before),
    })
}

/// How far the sentence's last word can be trusted to be its last.
#[derive(Clone, Copy)]
struct End {
    /// An ellipsis shows that it is not.
    broken: bool,
    /// Nor may it be where the message is long enough to have been cut.
    cut: bool,
    /// It may even be half a word: nothing stood behind it that only follows a whole sentence.
    open: bool,
}

/// Where the name of the resource ends.
enum Edge {
    Certain,
    /// Nowhere: the text breaks off before.
    Broken,
    /// No telling: white space stands in it without quotes, or a quote within them. Legal names hold neither,
    /// so a clause may be the name's own, at its end or before AWS's.
    Unclear,
}

fn resource_and_reason(rest: Text<'_>, end: End) -> (Option<&str>, Reason, Option<&str>) {
    let head = last(rest.lower, &[" because ", " with an explicit deny"]);
    let (front, found) = if let Some((front, clause)) = head.and_then(|at| rest.split_at(at)) {
        (front, Some(reason_clause(clause.trim_start(), end)))
    } else if let Some(front) = without_half_a_head(rest) {
        (front, Some(Err(NoClause::Broken)))
    } else {
        (rest, None)
    };
    let (edge, text) = resource(front);
    let text = text.filter(|_| found.is_some() || !end.open);
    let (reason, policy_arn) = match (edge, found) {
        (Edge::Certain, Some(Ok(clause))) => clause,
        // In front of the clause stands a text that may hold AWS's real end of the sentence.
        (_, Some(Ok(_))) => (Reason::Unrecognised, None),
        _ if end.cut => (Reason::Cut, None),
        (Edge::Certain, None) => (Reason::None, None),
        (Edge::Certain, Some(Err(NoClause::Broken))) | (Edge::Broken, None) => (Reason::Cut, None),
        _ => (Reason::Unrecognised, None),
    };
    (text, reason, policy_arn)
}

/// What AWS writes in place of a name.
const NAMELESS: [&str; 2] = [" on this resource", " on the resource associated with this ciphertext"];

/// What IAM writes before a name, or an ARN, where it has no resource's ARN to show.
const FREE_TEXT: [&str; 5] = ["user ", "role ", "group ", "policy ", "instance profile "];

/// What stands between the action and the reason; `None` where AWS names no resource.
fn resource(text: Text<'_>) -> (Edge, Option<&str>) {
    if text.lower.is_empty() || NAMELESS.contains(&text.lower) {
        return (Edge::Certain, None);
    }
    let Some(name) = text.strip_prefix(" on resource: ") else {
        let begins = |words: &&str| words.starts_with(text.lower);
        let begun = begins(&" on resource: ") || NAMELESS.iter().any(begins);
        return (if begun { Edge::Broken } else { Edge::Unclear }, None);
    };
    if let Some(quoted) = name.plain.strip_prefix('"') {
        return match quoted.split_once('"') {
            Some((inner, "")) if !inner.is_empty() => (Edge::Certain, Some(inner)),
            Some(_) => (Edge::Unclear, Some(name.plain)),
            None => (Edge::Broken, None),
        };
    }
    let free_text = FREE_TEXT.iter().find_map(|kind| name.lower.strip_prefix(kind));
    if !free_text.unwrap_or(name.lower).contains(' ') {
        return (Edge::Certain, Some(name.plain));
    }
    let begun = FREE_TEXT.iter().any(|kind| kind.starts_with(name.lower));
    if begun { (Edge::Broken, None) } else { (Edge::Unclear, Some(name.plain)) }
}

/// What the text is before a clause that ends inside its first words. "user w" is a user called w.
fn without_half_a_head(text: Text<'_>) -> Option<Text<'_>> {
    let ends_in = |start: &str, head: &str| {
        let at = last(text.lower, &[start])?;
        head.starts_with(text.lower.get(at..)?).then_some(at)
    };
    let at = ends_in(" b", " because ").or_else(|| ends_in(" w", " with an explicit deny"))?;
    matches!(resource(text), (Edge::Unclear, _)).then(|| text.up_to(at))
}

/// Why a text is no whole clause.
enum NoClause {
    /// It begins like one and ends too early.
    Broken,
    /// It is something else.
    Other,
}

/// KMS gives three reasons at once and does not say which it was.
const THREE_WAY: &str = "because the resource does not exist in this region, no resource-based policies \
    allow access, or a resource-based policy explicitly denies access";

/// The clause that the text is, from its first word to its last, and the denying policy's ARN.
fn reason_clause(text: Text<'_>, end: End) -> Result<(Reason, Option<&str>), NoClause> {
    let clause = |effect, policy_type| Reason::Clause { effect, policy_type };
    if let Some(rest) = text.lower.strip_prefix("because no ") {
        return Ok((clause(Effect::ImplicitDeny, implicit(rest)?), None));
    }
    if let Some(rest) = text.lower.strip_prefix("with an explicit deny") {
        let (policy_type, arn_follows) = match rest {
            "" if end.open => return Err(NoClause::Broken),
            "" => (None, false),
            _ => explicit(rest)?,
        };
        let arn = text.plain.rsplit(' ').next();
        let arn = arn.filter(|arn| arn_follows && !end.open && is_policy_arn(arn));
        return Ok((clause(Effect::ExplicitDeny, policy_type), arn));
    }
    if "because no ".starts_with(text.lower) {
        return Err(NoClause::Broken);
    }
    nothing(expect(text.lower, THREE_WAY)?)?;
    Ok((clause(Effect::Unknown, Some(PolicyType::ResourceBasedPolicy)), None))
}

/// Behind "because no ": "KIND allows the ACTION action". The action may be any word: AWS's page has a slip of the pen.
fn implicit(text: &str) -> Result<Option<PolicyType>, NoClause> {
    let (policy_type, text) = kind(text)?;
    let text = expect(text, " allow")?;
    let text = expect(text.strip_prefix('s').unwrap_or(text), " the ")?;
    let (_action, text) = text.split_once(' ').ok_or(NoClause::Broken)?;
    nothing(expect(text, "action")?)?;
    Ok(policy_type)
}

/// Behind "with an explicit deny": " in a KIND", through which other kind it came, and the policy's ARN in
/// one of two spellings. The kind is certain before they begin, so they may break off.
fn explicit(text: &str) -> Result<(Option<PolicyType>, bool), NoClause> {
    let (policy_type, mut text) = kind(article(expect(text, " in")?)?)?;
    match expect(text, " transitively through") {
        Ok(rest) => match article(rest).and_then(kind) {
            Ok((_, rest)) => text = rest,
            Err(NoClause::Broken) => text = "",
            Err(NoClause::Other) => return Err(NoClause::Other),
        },
        Err(NoClause::Broken) => text = "",
        Err(NoClause::Other) => {}
    }
    for spelling in [": ", ", with policy arn: "] {
        match expect(text, spelling) {
            Ok(arn) if arn.contains(' ') => return Err(NoClause::Other),
            Ok(_) => return Ok((policy_type, true)),
            Err(NoClause::Broken) => return Ok((policy_type, false)),
            Err(NoClause::Other) => {}
        }
    }
    Err(NoClause::Other)
}

/// What follows " a ", " an " or " the ".
fn article(text: &str) -> Result<&str, NoClause> {
    const ARTICLES: [&str; 3] = [" a ", " an ", " the "];
    if let Some(rest) = ARTICLES.iter().find_map(|article| text.strip_prefix(article)) {
        return Ok(rest);
    }
    let broken = ARTICLES.iter().any(|article| article.starts_with(text));
    Err(if broken { NoClause::Broken } else { NoClause::Other })
}

/// How each kind is called, up to where singular and plural part. "Sessions" is how AWS's page has it.
const KINDS: [(&str, PolicyType); 9] = [
    ("identity-based polic", PolicyType::IdentityBasedPolicy),
    ("resource-based polic", PolicyType::ResourceBasedPolicy),
    ("service control polic", PolicyType::ServiceControlPolicy),
    ("resource control polic", PolicyType::ResourceControlPolicy),
    ("permissions boundar", PolicyType::PermissionsBoundary),
    ("session polic", PolicyType::SessionPolicy),
    ("sessions polic", PolicyType::SessionPolicy),
    ("vpc endpoint polic", PolicyType::VpcEndpointPolicy),
    ("role trust polic", PolicyType::RoleTrustPolicy),
];

/// The kind of policy at the start, and what follows. A kind that is not known here is one all the same (AWS
/// adds some), as long as it looks like one.
fn kind(text: &str) -> Result<(Option<PolicyType>, &str), NoClause> {
    for (stem, policy_type) in KINDS {
        if let Some(rest) = text.strip_prefix(stem) {
            return match rest.strip_prefix('y').or_else(|| rest.strip_prefix("ies")) {
                Some(rest) => Ok((Some(policy_type), rest)),
                None if "ies".starts_with(rest) => Err(NoClause::Broken),
                None => Err(NoClause::Other),
            };
        }
        if stem.starts_with(text) {
            return Err(NoClause::Broken);
        }
    }
    let end = |word: &str| text.find(word).map(|at| at + word.len());
    let end = ["policy", "policies", "boundary", "boundaries"].into_iter().filter_map(end).min();
    let (name, rest) = text.split_at_checked(end.unwrap_or(text.len())).ok_or(NoClause::Other)?;
    let looks_like_one = |byte: u8| byte.is_ascii_alphanumeric() || byte == b' ' || byte == b'-';
    match end {
        _ if name.len() > 64 || !name.bytes().all(looks_like_one) => Err(NoClause::Other),
        Some(_) => Ok((None, rest)),
        None => Err(NoClause::Broken),
    }
}

fn expect<'t>(text: &'t str, words: &str) -> Result<&'t str, NoClause> {
    let why = if words.starts_with(text) { NoClause::Broken } else { NoClause::Other };
    text.strip_prefix(words).ok_or(why)
}

fn nothing(text: &str) -> Result<(), NoClause> {
    if text.is_empty() { Ok(()) } else { Err(NoClause::Other) }
}

fn is_policy_arn(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"+=,.@_-/".contains(&byte);
    Arn::parse(text).is_some_and(|arn| {
        matches!(arn.service, "iam" | "organizations")
            && arn.region.is_empty()
            && (arn.account == "aws" || arn.account_id().is_some())
            && matches!(arn.entity(), Some(("policy", ..)))
            && arn.resource.bytes().all(legal)
    })
}

/// `SNS:Publish` is `sns:Publish` to IAM. `None` for what is no action.
fn as_iam_spells_it(action: &str) -> Option<String> {
    let (service, name) = action.split_once(':')?;
    let legal = |text: &str, extra| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == extra);
    if !legal(service, b'-') || !legal(name, b'*') {
        return None;
    }
    let mut action = action.to_owned();
    action.get_mut(..service.len())?.make_ascii_lowercase();
    Some(action)
}

/// The word before the verb, if "User:" stands before it or it is an ARN, and the quote in front of it all:
/// a wrapping that opens one closes it behind the sentence.
fn principal(before: Text<'_>) -> (Option<String>, Option<char>) {
    let plain = before.plain.trim_end_matches(' ');
    let (front, word) = plain.rsplit_once(' ').unwrap_or(("", plain));
    let is_quote = |char: &char| QUOTES.contains(char);
    if let Some(front) = before.lower.get(..front.len()).and_then(|front| front.strip_suffix("user:")) {
        return (Some(word.to_owned()), front.chars().next_back().filter(is_quote));
    }
    let quote = word.chars().next().filter(is_quote);
    let arn = word.strip_prefix(QUOTES).unwrap_or(word);
    (arn.starts_with("arn:").then(|| arn.to_owned()), quote)
}

/// `StopLogging` in "when calling the StopLogging operation" and "operation error CloudTrail: StopLogging,".
fn operation(before: Text<'_>) -> Option<String> {
    let name = match before.split_once("when calling the ") {
        Some((_, rest)) => rest.split_once(" operation")?.0,
        None => before.split_once("operation error ")?.1.split_once(": ")?.1.split_once(",")?.0,
    };
    let legal = !name.plain.is_empty() && name.plain.bytes().all(|byte| byte.is_ascii_alphanumeric());
    legal.then(|| name.plain.to_owned())
}

/// The first words of what may follow a sentence: EC2's encoded record of the decision, the link to IAM's, and
/// the HTTP answer as the first version of Go's SDK writes it.
const TAILS: [&str; 3] = [ENCODED, LINK, " status code: "];
const ENCODED: &str = " encoded authorization failure message:";
const LINK: &str = " go to https://";
const BEHIND_THE_LINK: &str = " for complete details, or call the getrequestauthorizationdetails api \
    with the following authorization id:";

/// Whether the text is one of them to its end. AWS's own may be cut anywhere.
fn is_tail(text: &str) -> bool {
    let is_word = |text: &str| !text.trim_start().contains(' ');
    if let Some(link) = text.strip_prefix(LINK) {
        let rest = link.find(' ').and_then(|at| link.get(at..)).unwrap_or_default();
        return expect(rest, BEHIND_THE_LINK).map_or_else(|why| matches!(why, NoClause::Broken), is_word);
    }
    if let Some((code, id)) = text.strip_prefix(" status code: ").and_then(|status| status.split_once(", request id: "))
    {
        return code.bytes().all(|byte| byte.is_ascii_digit()) && is_word(id);
    }
    text.strip_prefix(ENCODED).is_some_and(is_word)
}

/// Takes off what may stand behind a sentence, outermost first: a few tails at most, and only in their own
/// shape up to the very end of the text. Anything looser could take AWS's clause along, and leave the fake
/// one that stands in a name.
fn without_tail(said: Text<'_>, quote: Option<char>, long: bool) -> (Text<'_>, End) {
    let whole = said.trim_end();
    // CloudFormation's, and Java's: `… action (Service: S3, Status Code: 403) (SDK Attempt Count: 1)`.
    let mut said = without_parenthesis(whole, " (requesttoken: ");
    if let Some(unquoted) = quote.and_then(|quote| said.plain.strip_suffix(quote)) {
        said = said.up_to(unquoted.len()).trim_end();
    }
    said = without_parenthesis(said, " (sdk attempt count: ");
    said = without_parenthesis(said, " (service: ");
    for _ in TAILS {
        match last(said.lower, &TAILS).and_then(|at| said.split_at(at)) {
            Some((front, tail)) if is_tail(tail.lower) => said = front,
            _ => break,
        }
    }
    // One of them, cut in its first words.
    if let Some((front, tail)) = said.lower.rsplit_once('.')
        && !tail.is_empty()
        && TAILS.iter().any(|words| words.starts_with(tail))
    {
        said = said.up_to(front.len());
    }
    let mut followed = said.lower.len() < whole.lower.len();
    let front = said.lower.strip_suffix('…').or_else(|| said.lower.strip_suffix("..."));
    if let Some(front) = front {
        said = said.up_to(front.len()).trim_end();
    }
    let broken = front.is_some();
    if let Some(front) = said.lower.strip_suffix('.') {
        said = said.up_to(front.len());
        followed = true;
    }
    (said, End { broken, cut: broken || long, open: broken || (long && !followed) })
}

fn without_parenthesis<'t>(text: Text<'t>, opening: &str) -> Text<'t> {
    let Some(inner) = text.lower.strip_suffix(')') else { return text };
    match last(inner, &[opening]) {
        Some(at) if !inner.get(at..).unwrap_or_default().contains(')') => text.up_to(at),
        _ => text,
    }
}

/// Where one of the words, each with a space in front, stands last. Texts are too short for a real search to pay.
fn last(text: &str, words: &[&str]) -> Option<usize> {
    let begins = |at: &usize| text.get(*at..).is_some_and(|rest| words.iter().any(|words| rest.starts_with(words)));
    let spaces = text.bytes().enumerate().filter(|(_, byte)| *byte == b' ').map(|(at, _)| at);
    spaces.rev().find(begins)
}

const QUOTES: [char; 7] = ['"', '\'', '`', '“', '”', '‘', '’'];

/// The message with every run of white space as one space. Nearly all are so already.
fn on_one_line(message: &str) -> Cow<'_, str> {
    let mut last = b' ';
    let tidy = |byte: u8| {
        let tidy = byte.is_ascii() && !matches!(byte, 9..=13) && (byte, last) != (b' ', b' ');
        last = byte;
        tidy
    };
    if message.bytes().all(tidy) && last != b' ' {
        return Cow::Borrowed(message);
    }
    let mut line = String::with_capacity(message.len() + 1);
    for word in message.split_whitespace() {
        line.extend([word, " "]);
    }
    line.pop();
    Cow::Owned(line)
}

/// The same bytes twice: words are found in lower case, and taken as they were written.
#[derive(Clone, Copy)]
struct Text<'t> {
    plain: &'t str,
    lower: &'t str,
}

impl Text<'_> {
    fn split_at(self, at: usize) -> Option<(Self, Self)> {
        let (plain, plain_rest) = self.plain.split_at_checked(at)?;
        let (lower, lower_rest) = self.lower.split_at_checked(at)?;
        Some((Self { plain, lower }, Self { plain: plain_rest, lower: lower_rest }))
    }

    fn up_to(self, at: usize) -> Self {
        self.split_at(at).map_or(self, |(front, _)| front)
    }

    fn strip_prefix(self, prefix: &str) -> Option<Self> {
        let (front, rest) = self.split_at(prefix.len())?;
        (front.lower == prefix).then_some(rest)
    }

    fn split_once(self, words: &str) -> Option<(Self, Self)> {
        let (front, rest) = self.split_at(memmem::find(self.lower.as_bytes(), words.as_bytes())?)?;
        Some((front, rest.strip_prefix(words)?))
    }

    fn trim_start(self) -> Self {
        self.strip_prefix(" ").unwrap_or(self)
    }

    fn trim_end(self) -> Self {
        self.up_to(self.lower.trim_end_matches(' ').len())
    }

    /// Without the quotes that somebody copied along, as long as they stand on both sides.
    fn without_quotes(mut self) -> Self {
        while let Some(inner) = self.lower.strip_prefix(QUOTES)
            && let Some(inner_end) = inner.strip_suffix(QUOTES)
            && let Some((_, rest)) = self.split_at(self.lower.len() - inner.len())
        {
            self = rest.up_to(inner_end.len()).trim_start().trim_end();
        }
        self
    }
}
