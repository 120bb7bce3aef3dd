//! What speaks to the world outside: one module for each outside party.
//!
//! Nothing here decides anything. A function gathers its facts through these modules, asks the pure crate what they mean, and
//! carries the answer out through these modules again. So what can fail for reasons of its own (a table, a topic, a chat server,
//! the environment) stands on this side, with an error type that says only what the caller has to tell apart: worth another
//! try, refused for good, or a permission that we lack ourselves.
//!
//! Features: `aws` brings DynamoDB, SNS, Secrets Manager and Slack with the only HTTP and TLS stack of the project; `cloudtrail`, `iam`, `kms`,
//! `parameters`, `s3` and `sts` add CloudTrail, IAM, KMS, Systems Manager, S3 and STS; `deployed` all that a stack is looked at with;
//! `embedded` brings the store of a single machine. Without `aws` no TLS code is compiled.

pub mod audit;
pub mod channel;
#[cfg(feature = "cloudtrail")]
pub mod cloudtrail;
pub mod config;
#[cfg(feature = "deployed")]
pub mod deployed;
#[cfg(feature = "aws")]
pub mod http;
pub mod iam;
pub mod pages;
#[cfg(feature = "parameters")]
pub mod parameters;
pub mod patience;
#[cfg(feature = "s3")]
pub mod s3;
#[cfg(feature = "aws")]
pub mod secrets;
#[cfg(feature = "aws")]
pub mod slack;
#[cfg(feature = "aws")]
pub mod sns;
pub mod store;
#[cfg(feature = "sts")]
pub mod sts;
pub mod telemetry;
pub mod vouch;
