//! What ids and sessions' names tell by their form.

/// Only users and roles have ids that stay theirs when a name is given away again.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids>
pub(super) fn unique_id(text: &str) -> Option<String> {
    let id = text.split(':').next()?;
    let legal = (id.starts_with("AIDA") || id.starts_with("AROA"))
        && (8..=128).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_alphanumeric());
    legal.then(|| id.to_owned())
}

/// The names that services give to the sessions of what they run: EC2 an instance's id, ECS a task's, CodeBuild and Glue words of
/// their own. Lambda's is the function's name, which could be anybody's.
pub(super) fn is_workloads_session(name: &str) -> bool {
    let is_hex = |id: &str| id.bytes().all(|b| b.is_ascii_hexdigit());
    name.strip_prefix("i-").is_some_and(|id| id.len() >= 8 && is_hex(id))
        || name.len() == 32 && is_hex(name)
        || name.starts_with("AWSCodeBuild-")
        || name == "GlueJobRunnerSession"
}
