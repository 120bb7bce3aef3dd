//! What holds for every input: nothing panics, nothing is invented, nothing is granted that the contract does not let be granted.
//!
//! `anything` throws all sorts of input at the bodies of the fuzz targets. `grants` takes records that may be granted and breaks
//! one condition of each. `hashes` holds what an approval names.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail loudly"
)]

mod anything;
mod breaks;
mod grantable;
mod grants;
mod hashes;

use proptest::prelude::ProptestConfig;

/// Nothing is written beside the tests: a failing input is printed, and belongs into a test of its own.
fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 2000, ..ProptestConfig::default() }
}
