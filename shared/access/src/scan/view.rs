//! A tally as people read it: what is most, of what, and when.
//!
//! Every ranking breaks ties by name, so that one tally has one view.

use std::collections::BTreeMap;

use jiff::{Timestamp, tz::TimeZone};

use super::{Case, Finding, Tally};
use crate::{
    diagnosis::{Response, Risk, Scenario},
    notice::words,
};

/// As many bars as a trend has at most.
const BARS: i64 = 72;
/// How long a bar may be. Hours: up to a day, then days and weeks.
const STEPS: [i64; 12] = [1, 2, 3, 6, 12, 24, 48, 168, 336, 672, 2_184, 8_736];

/// A tally to look at.
#[derive(Debug, Clone, Copy)]
pub struct View<'a>(pub &'a Tally);

/// Something with how often it was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ranked<T> {
    /// What.
    pub what: T,
    /// Denials.
    pub count: u64,
    /// Of these, alarms.
    pub alarms: u64,
    /// Cases.
    pub cases: u64,
}

/// The denials of a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bar {
    /// When it begins: a day, or a day and an hour.
    pub label: String,
    /// To be fixed by hand, to be approved, alarms.
    pub counts: [u64; 3],
}

/// A trend.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Span {
    /// How long a bar is, in words.
    pub step: String,
    /// One after the other, without a gap.
    pub bars: Vec<Bar>,
}

/// Who was refused what, how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grid<'a> {
    /// The columns.
    pub actions: Vec<&'a str>,
    /// Principal, and a count for each column.
    pub rows: Vec<(&'a str, Vec<u64>)>,
}

impl<'a> View<'a> {
    /// The cases, what is gravest and most first.
    pub fn cases(self) -> Vec<&'a Case> {
        let mut cases: Vec<&Case> = self.0.cases.iter().collect();
        cases.sort_by(|one, other| {
            let key = |case: &Case| (case.finding.response, case.count);
            key(other).cmp(&key(one)).then_with(|| (&one.id, one.finding.rule).cmp(&(&other.id, other.finding.rule)))
        });
        cases
    }

    /// How many records have a response, from exact counts.
    pub fn response(self, response: Response) -> u64 {
        self.sum(|finding| finding.response == response)
    }

    /// Denials by the topic of AWS's page, most first.
    pub fn scenarios(self) -> Vec<(Scenario, u64)> {
        self.exact(|finding| finding.scenario)
    }

    /// Denials by risk, most first.
    pub fn risks(self) -> Vec<(Risk, u64)> {
        self.exact(|finding| finding.risk)
    }

    /// Denials, and what was ignored, by rule, in the order of their ids.
    pub fn rules(self, is_ignored: bool) -> Vec<(crate::classify::Rule, u64)> {
        let mut rules =
            self.exact(|finding| ((finding.response == Response::Ignore) == is_ignored).then_some(finding.rule));
        rules.sort();
        rules
    }

    fn sum(self, is_such: impl Fn(&Finding) -> bool) -> u64 {
        self.0.findings.iter().filter(|(finding, _)| is_such(finding)).map(|(_, count)| count).sum()
    }

    fn exact<T: Ord + Copy>(self, key: impl Fn(&Finding) -> Option<T>) -> Vec<(T, u64)> {
        let mut counts: BTreeMap<T, u64> = BTreeMap::new();
        for (finding, count) in &self.0.findings {
            if let Some(key) = key(finding) {
                *counts.entry(key).or_default() += count;
            }
        }
        let mut counts: Vec<(T, u64)> = counts.into_iter().collect();
        counts.sort_by(|one, other| other.1.cmp(&one.1).then(one.0.cmp(&other.0)));
        counts
    }

    /// Who was refused most.
    pub fn principals(self) -> Vec<Ranked<&'a str>> {
        self.ranked(|case| Some(case.principal()))
    }

    /// What was refused most.
    pub fn actions(self) -> Vec<Ranked<&'a str>> {
        self.ranked(|case| Some(case.action()))
    }

    /// What would mend most. Never for an alarm: what an attacker lacks needs no mending.
    pub fn fixes(self) -> Vec<Ranked<&'a str>> {
        self.ranked(|case| {
            let fix = case.fix.as_ref().filter(|_| case.finding.response != Response::RaiseAlarm)?;
            Some(fix.order.as_str())
        })
    }

    fn ranked(self, key: impl Fn(&'a Case) -> Option<&'a str>) -> Vec<Ranked<&'a str>> {
        let mut counts: BTreeMap<&str, (u64, u64, u64)> = BTreeMap::new();
        for case in &self.0.cases {
            let Some(what) = key(case) else { continue };
            let (count, alarms, cases) = counts.entry(what).or_default();
            *count += case.count;
            *cases += 1;
            if case.finding.response == Response::RaiseAlarm {
                *alarms += case.count;
            }
        }
        let mut ranked: Vec<_> =
            counts.into_iter().map(|(what, (count, alarms, cases))| Ranked { what, count, alarms, cases }).collect();
        ranked.sort_by(|one, other| other.count.cmp(&one.count).then_with(|| one.what.cmp(other.what)));
        ranked
    }

    /// The principals and actions that were refused most, against each other.
    pub fn grid(self, most_principals: usize, most_actions: usize) -> Grid<'a> {
        let actions: Vec<&str> = self.actions().into_iter().take(most_actions).map(|ranked| ranked.what).collect();
        let principals: Vec<&str> =
            self.principals().into_iter().take(most_principals).map(|ranked| ranked.what).collect();
        let mut rows: Vec<(&str, Vec<u64>)> = principals.iter().map(|name| (*name, vec![0; actions.len()])).collect();
        for case in &self.0.cases {
            let row = rows.iter_mut().find(|(name, _)| *name == case.principal());
            let column = actions.iter().position(|name| *name == case.action());
            if let (Some((_, counts)), Some(column)) = (row, column)
                && let Some(count) = counts.get_mut(column)
            {
                *count += case.count;
            }
        }
        Grid { actions, rows }
    }

    /// Denials over time, in bars as short as fit.
    pub fn trend(self) -> Span {
        let hours = &self.0.hours;
        let (Some((&first, _)), Some((&last, _))) = (hours.first_key_value(), hours.last_key_value()) else {
            return Span::default();
        };
        let length = i64::from(last) - i64::from(first) + 1;
        // The last step is as long as it has to be: forged times can lie as far apart as there are times.
        let fits = |step: &i64| length / step < BARS;
        let step = STEPS.into_iter().find(fits).unwrap_or_else(|| (length / BARS / 168 + 1) * 168);
        let begin = i64::from(first).div_euclid(step) * step;
        let count = usize::try_from((i64::from(last) - begin) / step + 1).unwrap_or(1);
        let mut bars: Vec<Bar> =
            (0..).take(count).map(|at: i64| Bar { label: label(begin + at * step, step), counts: [0; 3] }).collect();
        for (hour, counts) in hours {
            let at = usize::try_from((i64::from(*hour) - begin) / step).unwrap_or(0);
            if let Some(bar) = bars.get_mut(at) {
                bar.counts.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
            }
        }
        let (number, unit) = match step {
            1..24 => (step, "hour"),
            24..168 => (step / 24, "day"),
            _ => (step / 168, "week"),
        };
        let step = if number == 1 { unit.to_owned() } else { format!("{number} {unit}s") };
        Span { step, bars }
    }

    /// The earliest and the latest time of a denial.
    pub fn times(self) -> Option<(&'a str, &'a str)> {
        let first = self.0.cases.iter().filter_map(|case| case.first.as_deref()).min()?;
        let last = self.0.cases.iter().filter_map(|case| case.last.as_deref()).max()?;
        Some((first, last))
    }
}

fn label(hour: i64, step: i64) -> String {
    let Some(time) = hour.checked_mul(3600).and_then(|second| Timestamp::from_second(second).ok()) else {
        return "before all times".to_owned();
    };
    let time = time.to_zoned(TimeZone::UTC);
    let day = time.date();
    if step < 24 { format!("{day} {:02}:00", time.hour()) } else { day.to_string() }
}

impl Case {
    /// Who, in a word.
    pub fn principal(&self) -> &str {
        self.principal.as_deref().unwrap_or_else(|| words::nameless(self.kind))
    }

    /// What, in a word.
    pub fn action(&self) -> &str {
        self.action.as_deref().unwrap_or("an action that is not in the record")
    }
}
