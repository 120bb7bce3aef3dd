//! Waiting for AWS: one runtime for everything that a scan asks, and when the same is asked again.

use std::{sync::OnceLock, time::Duration};

use adapters::http::AwsError;
use tokio::runtime::Runtime;

/// What waits for the network. Whichever thread wants something from it drives it.
pub fn runtime() -> Result<&'static Runtime, String> {
    static RUNTIME: OnceLock<Result<Runtime, String>> = OnceLock::new();
    let made = || tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string());
    RUNTIME.get_or_init(made).as_ref().map_err(Clone::clone)
}

/// Asks, and asks again after each of these waits where AWS may answer then: nobody wants to begin anew for one answer in a million.
/// `wait`: whether it was waited to the end.
pub fn tried<T>(
    waits: impl IntoIterator<Item = Duration>,
    wait: impl Fn(Duration) -> bool,
    ask: impl Fn() -> Result<T, AwsError>,
) -> Result<T, AwsError> {
    for length in waits {
        match ask() {
            Err(AwsError::Unavailable(_)) if wait(length) => {}
            asked => return asked,
        }
    }
    ask()
}
