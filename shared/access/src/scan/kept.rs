//! A tally as it is written down, for whoever goes on with it later: what can be computed again is left out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Case, Finding, Tally};

/// The shape.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Kept {
    left_out: u64,
    findings: Vec<(Finding, u64)>,
    cases: Vec<Case>,
    repeated: u64,
    others: u64,
    hours: BTreeMap<i32, [u64; 3]>,
    untimed: u64,
    seen: Vec<u64>,
}

impl From<Tally> for Kept {
    fn from(tally: Tally) -> Self {
        let Tally { left_out, findings, cases, index: _, repeated, others, hours, untimed, seen } = tally;
        let (findings, seen) = (findings.into_iter().collect(), seen.into_iter().collect());
        Self { left_out, findings, cases, repeated, others, hours, untimed, seen }
    }
}

impl From<Kept> for Tally {
    fn from(kept: Kept) -> Self {
        let Kept { left_out, findings, cases, repeated, others, hours, untimed, seen } = kept;
        let index = cases.iter().enumerate().map(|(at, case)| ((case.id.clone(), case.finding.rule), at)).collect();
        let (findings, seen) = (findings.into_iter().collect(), seen.into_iter().collect());
        Self { left_out, findings, cases, index, repeated, others, hours, untimed, seen }
    }
}
