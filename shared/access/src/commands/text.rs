//! Text for the place it goes to: JSON in an API's argument, YAML in a template, HCL in a module.
//!
//! The three differ in punctuation only, so one writer walks a policy and asks the notation at each step. Whatever
//! comes from outside is written by [`push_text`] and nowhere else: always between double quotes, always ASCII (a
//! terminal then shows what will be sent, however the letters around it are turned), never with a raw line break.

use crate::policy_document::{Statement, Trustee};

/// A language that can hold a tree of texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notation {
    Json,
    Yaml,
    Hcl,
}

/// Writes nested maps and lists, two spaces a level.
pub(super) struct Tree<'o> {
    out: &'o mut String,
    notation: Notation,
    depth: usize,
    /// Something stands before the next item of the map or list at hand.
    has_items: bool,
    /// A YAML key waits for its value: a text wants a space first, a map or a list does not.
    after_key: bool,
    /// A YAML dash waits for its item: the first key of a map goes on the same line.
    after_dash: bool,
}

impl<'o> Tree<'o> {
    /// Starts at a depth that the text before it has already been indented to.
    pub(super) fn new(out: &'o mut String, notation: Notation, depth: usize) -> Self {
        Self { out, notation, depth, has_items: false, after_key: false, after_dash: false }
    }

    /// A map; `fill` writes its keys and values, at least one.
    pub(super) fn map(&mut self, fill: impl FnOnce(&mut Self)) {
        self.nest('{', '}', fill);
    }

    /// A list.
    pub(super) fn list<I>(&mut self, items: impl IntoIterator<Item = I>, mut each: impl FnMut(&mut Self, I)) {
        let mut items = items.into_iter().peekable();
        if items.peek().is_none() {
            self.gap();
            return self.out.push_str("[]");
        }
        self.nest('[', ']', |tree| {
            for item in items {
                tree.separate(true);
                if tree.notation == Notation::Yaml {
                    tree.out.push_str("- ");
                    tree.after_dash = true;
                }
                each(tree, item);
                tree.after_dash = false;
            }
        });
    }

    /// A key of the map at hand; its value follows.
    pub(super) fn key(&mut self, key: &str) -> &mut Self {
        if self.after_dash {
            self.after_dash = false;
            self.has_items = true;
        } else {
            self.separate(self.notation == Notation::Json);
        }
        if self.notation != Notation::Json && is_bare_key(key) {
            self.out.push_str(key);
        } else {
            push_text(self.out, self.notation, key);
        }
        match self.notation {
            Notation::Json => self.out.push_str(": "),
            Notation::Hcl => self.out.push_str(" = "),
            Notation::Yaml => {
                self.out.push(':');
                self.after_key = true;
            }
        }
        self
    }

    /// A value.
    pub(super) fn text(&mut self, text: &str) {
        self.gap();
        push_text(self.out, self.notation, text);
    }

    fn nest(&mut self, open: char, close: char, fill: impl FnOnce(&mut Self)) {
        let has_brackets = self.notation != Notation::Yaml;
        if has_brackets {
            self.out.push(open);
        }
        self.after_key = false;
        self.depth += 1;
        let outer = std::mem::replace(&mut self.has_items, false);
        fill(self);
        self.has_items = outer;
        self.depth -= 1;
        if has_brackets {
            self.break_line();
            self.out.push(close);
        }
    }

    fn separate(&mut self, with_comma: bool) {
        if with_comma && self.has_items && self.notation != Notation::Yaml {
            self.out.push(',');
        }
        self.has_items = true;
        self.break_line();
    }

    fn break_line(&mut self) {
        const LEVELS: &str = "\n                                        ";
        self.out.push_str(LEVELS.get(..=2 * self.depth).unwrap_or(LEVELS));
    }

    fn gap(&mut self) {
        if std::mem::take(&mut self.after_key) {
            self.out.push(' ');
        }
    }
}

/// A whole policy of these statements, in AWS's order of members.
pub(super) fn policy<'a>(tree: &mut Tree, of: impl IntoIterator<Item = &'a Statement>) {
    tree.map(|tree| {
        tree.key("Version").text("2012-10-17");
        statements(tree.key("Statement"), of);
    });
}

/// A list of statements, as `policy_document` serializes them.
pub(super) fn statements<'a>(tree: &mut Tree, of: impl IntoIterator<Item = &'a Statement>) {
    tree.list(of, |tree, statement| {
        tree.map(|tree| {
            if let Some(sid) = &statement.sid {
                tree.key("Sid").text(sid);
            }
            tree.key("Effect").text("Allow");
            if let Some(trustee) = &statement.trustee {
                let (kind, who) = trustee_parts(trustee);
                tree.key("Principal").map(|tree| tree.key(kind).text(who));
            }
            one_or_many(tree.key("Action"), &statement.actions);
            if !statement.resources.is_empty() {
                one_or_many(tree.key("Resource"), &statement.resources);
            }
            if !statement.conditions.is_empty() {
                tree.key("Condition").map(|tree| {
                    for (operator, keys) in &statement.conditions {
                        tree.key(operator).map(|tree| {
                            for (key, values) in keys {
                                one_or_many(tree.key(key), values);
                            }
                        });
                    }
                });
            }
        });
    });
}

/// The kind of a trustee as policies name it, and who it is.
pub(super) fn trustee_parts(trustee: &Trustee) -> (&'static str, &str) {
    match trustee {
        Trustee::Service(name) => ("Service", name),
        Trustee::Aws(arn) => ("AWS", arn),
    }
}

/// Every text of a statement that comes from outside.
pub(super) fn texts(statement: &Statement) -> impl Iterator<Item = &str> {
    let conditions =
        statement.conditions.values().flatten().flat_map(|(key, values)| std::iter::once(key).chain(values));
    let own = statement.sid.iter().chain(&statement.actions).chain(&statement.resources).chain(conditions);
    own.map(String::as_str).chain(statement.trustee.as_ref().map(|trustee| trustee_parts(trustee).1))
}

fn one_or_many(tree: &mut Tree, values: &[String]) {
    match values {
        [only] => tree.text(only),
        many => tree.list(many, |tree, value| tree.text(value)),
    }
}

/// A key that needs no quotes: a plain word, and none that YAML or HCL reads as a value (`Null` is an operator of IAM's).
fn is_bare_key(key: &str) -> bool {
    const VALUES: [&str; 9] = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    key.starts_with(|c: char| c.is_ascii_alphabetic())
        && key.bytes().all(|b| b.is_ascii_alphanumeric())
        && !VALUES.iter().any(|value| key.eq_ignore_ascii_case(value))
}

/// Writes a text between double quotes, so that the notation's own parser gives back exactly it.
///
/// JSON: <https://www.rfc-editor.org/rfc/rfc8259#section-7>. YAML: <https://yaml.org/spec/1.2.2/#57-escaped-characters>.
/// HCL: <https://developer.hashicorp.com/terraform/language/expressions/strings#escape-sequences>.
pub(super) fn push_text(out: &mut String, notation: Notation, text: &str) {
    out.reserve(text.len() + 2);
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|b| !is_plain(b)) {
        // Every byte before it is ASCII, so a character starts here.
        let (plain, special) = rest.split_at(at);
        out.push_str(plain);
        let mut after = special.chars();
        let Some(c) = after.next() else { break };
        rest = after.as_str();
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '$' | '%' if notation != Notation::Hcl => out.push(c),
            '!' if notation != Notation::Json => out.push(c),
            '$' | '%' => rest = push_sigils(out, c, special),
            _ => push_code_point(out, notation, c),
        }
    }
    out.push_str(rest);
    out.push('"');
}

/// Printable ASCII that means itself in all three notations. JSON is pasted into shells, and an older bash puts its
/// history in place of a `!` even between quotes, once they began on the line before.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\' | b'$' | b'%' | b'!')
}

/// HCL starts a template at `${` and `%{`; doubling the sign says that it is text. Where parsers differ over what that
/// covers (a run of signs, a brace that is never closed), the signs are written as code points. Gives back what follows.
fn push_sigils<'a>(out: &mut String, sign: char, text: &'a str) -> &'a str {
    let rest = text.trim_start_matches(sign);
    let run = text.len() - rest.len();
    match (rest.starts_with('{'), run) {
        (false, _) => out.extend(std::iter::repeat_n(sign, run)),
        (true, 1) if rest.contains('}') => out.extend([sign, sign]),
        (true, _) => (0..run).for_each(|_| push_code_point(out, Notation::Hcl, sign)),
    }
    rest
}

fn push_code_point(out: &mut String, notation: Notation, c: char) {
    let point = u32::from(c);
    if point <= 0xFFFF {
        push_hex(out, "\\u", point, 4);
    } else if notation == Notation::Json {
        for &mut unit in c.encode_utf16(&mut [0; 2]) {
            push_hex(out, "\\u", u32::from(unit), 4);
        }
    } else {
        push_hex(out, "\\U", point, 8);
    }
}

/// Writes a number in that many hexadecimal digits.
pub(super) fn push_hex(out: &mut String, prefix: &str, number: u32, digits: u32) {
    out.push_str(prefix);
    out.extend((0..digits).rev().filter_map(|digit| char::from_digit((number >> (4 * digit)) & 0xF, 16)));
}
