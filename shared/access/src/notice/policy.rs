//! A policy as indented JSON, written by hand into the notice's own buffer.
//!
//! The text notice has a few microseconds for everything, and what is shown must be safe to look at as well as exact:
//! characters that can't be seen, and the backtick that would end a code span, become JSON's own escapes. What is
//! pasted therefore means the same, to the letter. Members stand in AWS's order, as in `policy_document`.

use std::fmt::Write;

use super::escape::is_hidden;
use crate::policy_document::{PolicyDocument, Statement, Trustee};

/// Writes a policy, each line after `margin`, with no line break at the end.
pub fn write(out: &mut String, policy: &PolicyDocument, margin: &str) {
    let mut json = Json { out, margin, depth: 0, is_first: true };
    json.out.push_str(margin);
    json.open('{');
    json.member("Version");
    json.text("2012-10-17");
    json.member("Statement");
    json.open('[');
    for statement in &policy.statements {
        json.next();
        json.statement(statement);
    }
    json.close(']');
    json.close('}');
}

struct Json<'a> {
    out: &'a mut String,
    margin: &'a str,
    depth: usize,
    is_first: bool,
}

impl Json<'_> {
    fn statement(&mut self, statement: &Statement) {
        self.open('{');
        if let Some(sid) = &statement.sid {
            self.member("Sid");
            self.text(sid);
        }
        self.member("Effect");
        self.text("Allow");
        if let Some(trustee) = &statement.trustee {
            let (kind, name) = match trustee {
                Trustee::Service(name) => ("Service", name),
                Trustee::Aws(arn) => ("AWS", arn),
            };
            self.member("Principal");
            self.out.push_str("{ ");
            self.text(kind);
            self.out.push_str(": ");
            self.text(name);
            self.out.push_str(" }");
        }
        self.member("Action");
        self.one_or_many(&statement.actions);
        if !statement.resources.is_empty() {
            self.member("Resource");
            self.one_or_many(&statement.resources);
        }
        if !statement.conditions.is_empty() {
            self.member("Condition");
            self.open('{');
            for (operator, keys) in &statement.conditions {
                self.member(operator);
                self.open('{');
                for (key, values) in keys {
                    self.member(key);
                    self.one_or_many(values);
                }
                self.close('}');
            }
            self.close('}');
        }
        self.close('}');
    }

    fn one_or_many(&mut self, values: &[String]) {
        if let [only] = values {
            return self.text(only);
        }
        self.open('[');
        for value in values {
            self.next();
            self.text(value);
        }
        self.close(']');
    }

    fn open(&mut self, bracket: char) {
        self.out.push(bracket);
        self.depth += 1;
        self.is_first = true;
    }

    fn close(&mut self, bracket: char) {
        self.depth = self.depth.saturating_sub(1);
        if !self.is_first {
            self.line();
        }
        self.out.push(bracket);
        self.is_first = false;
    }

    fn next(&mut self) {
        if !self.is_first {
            self.out.push(',');
        }
        self.line();
        self.is_first = false;
    }

    fn member(&mut self, name: &str) {
        self.next();
        self.text(name);
        self.out.push_str(": ");
    }

    fn line(&mut self) {
        self.out.push('\n');
        self.out.push_str(self.margin);
        for _ in 0..self.depth {
            self.out.push_str("  ");
        }
    }

    fn text(&mut self, text: &str) {
        self.out.push('"');
        // Actions and ARNs are plain: one look at the bytes, one copy.
        if is_plain(text) {
            self.out.push_str(text);
        } else {
            for character in text.chars() {
                match character {
                    '"' => self.out.push_str("\\\""),
                    '\\' => self.out.push_str("\\\\"),
                    '`' => self.out.push_str("\\u0060"),
                    hidden if is_hidden(hidden) => {
                        let mut units = [0; 2];
                        for unit in hidden.encode_utf16(&mut units) {
                            let _ = write!(self.out, "\\u{unit:04x}");
                        }
                    }
                    other => self.out.push(other),
                }
            }
        }
        self.out.push('"');
    }
}

fn is_plain(text: &str) -> bool {
    for &byte in text.as_bytes() {
        if !matches!(byte, b' '..=b'~') || matches!(byte, b'"' | b'\\' | b'`') {
            return false;
        }
    }
    true
}
