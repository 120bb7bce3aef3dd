//! The actions of CloudTrail a second time, taken from AWS's reference and the binding judgement and not from `access`.
//!
//! A test that looked its answer up in the table it tests would believe every slip in it.

/// Action, AWS's access level, risk, the resource types that it can be limited to (none: only `*`).
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscloudtrail.html>
#[rustfmt::skip]
pub const ACTIONS: &[(&str, &str, &str, &str)] = &[
    ("cloudtrail-data:PutAuditEvents", "Write", "sensitive", "channel"),
    ("cloudtrail:AddTags", "Tagging", "sensitive", "channel dashboard eventdatastore trail"),
    ("cloudtrail:CancelQuery", "Write", "sensitive", "eventdatastore"),
    ("cloudtrail:CreateChannel", "Write", "sensitive", "channel eventdatastore"),
    ("cloudtrail:CreateDashboard", "Write", "sensitive", "dashboard"),
    ("cloudtrail:CreateEventDataStore", "Write", "sensitive", "eventdatastore"),
    ("cloudtrail:CreateServiceLinkedChannel", "Write", "tampering", "channel"),
    ("cloudtrail:CreateTrail", "Write", "sensitive", "trail"),
    ("cloudtrail:DeleteChannel", "Write", "tampering", "channel"),
    ("cloudtrail:DeleteDashboard", "Write", "sensitive", "dashboard"),
    ("cloudtrail:DeleteEventDataStore", "Write", "tampering", "eventdatastore"),
    ("cloudtrail:DeleteResourcePolicy", "Write", "tampering", "channel dashboard eventdatastore"),
    ("cloudtrail:DeleteServiceLinkedChannel", "Write", "tampering", "channel"),
    ("cloudtrail:DeleteTrail", "Write", "tampering", "trail"),
    ("cloudtrail:DeregisterOrganizationDelegatedAdmin", "Write", "tampering", ""),
    ("cloudtrail:DescribeQuery", "Read", "routine", "eventdatastore"),
    ("cloudtrail:DescribeTrails", "Read", "routine", ""),
    ("cloudtrail:DisableFederation", "Write", "tampering", "eventdatastore"),
    ("cloudtrail:EnableFederation", "Write", "tampering", "eventdatastore"),
    ("cloudtrail:GenerateQuery", "Write", "sensitive", "eventdatastore"),
    ("cloudtrail:GenerateQueryResultsSummary", "Read", "sensitive", "eventdatastore"),
    ("cloudtrail:GetChannel", "Read", "routine", "channel"),
    ("cloudtrail:GetDashboard", "Read", "routine", "dashboard"),
    ("cloudtrail:GetEventConfiguration", "Read", "routine", "eventdatastore trail"),
    ("cloudtrail:GetEventDataStore", "Read", "routine", "eventdatastore"),
    ("cloudtrail:GetEventDataStoreData", "Read", "sensitive", "eventdatastore"),
    ("cloudtrail:GetEventSelectors", "Read", "routine", "trail"),
    ("cloudtrail:GetImport", "Read", "routine", ""),
    ("cloudtrail:GetInsightSelectors", "Read", "routine", "eventdatastore trail"),
    ("cloudtrail:GetQueryResults", "Read", "sensitive", "eventdatastore"),
    ("cloudtrail:GetResourcePolicy", "Read", "routine", "channel dashboard eventdatastore"),
    ("cloudtrail:GetServiceLinkedChannel", "Read", "routine", "channel"),
    ("cloudtrail:GetTrail", "Read", "routine", "trail"),
    ("cloudtrail:GetTrailStatus", "Read", "routine", "trail"),
    ("cloudtrail:ListChannels", "List", "routine", ""),
    ("cloudtrail:ListDashboards", "List", "routine", ""),
    ("cloudtrail:ListEventDataStores", "List", "routine", ""),
    ("cloudtrail:ListImportFailures", "Read", "routine", ""),
    ("cloudtrail:ListImports", "List", "routine", ""),
    ("cloudtrail:ListInsightsData", "List", "sensitive", "trail"),
    ("cloudtrail:ListPublicKeys", "Read", "routine", ""),
    ("cloudtrail:ListQueries", "List", "routine", "eventdatastore"),
    ("cloudtrail:ListServiceLinkedChannels", "List", "routine", ""),
    ("cloudtrail:ListTags", "Read", "routine", "channel dashboard eventdatastore trail"),
    ("cloudtrail:ListTrails", "List", "routine", ""),
    ("cloudtrail:LookupEvents", "Read", "sensitive", ""),
    ("cloudtrail:PutEventConfiguration", "Write", "tampering", "eventdatastore trail"),
    ("cloudtrail:PutEventSelectors", "Write", "tampering", "trail"),
    ("cloudtrail:PutInsightSelectors", "Write", "tampering", "eventdatastore trail"),
    ("cloudtrail:PutResourcePolicy", "Write", "tampering", "channel dashboard eventdatastore"),
    ("cloudtrail:RegisterOrganizationDelegatedAdmin", "Write", "tampering", ""),
    ("cloudtrail:RemoveTags", "Tagging", "tampering", "channel dashboard eventdatastore trail"),
    ("cloudtrail:RestoreEventDataStore", "Write", "sensitive", "eventdatastore"),
    ("cloudtrail:SearchSampleQueries", "Read", "routine", ""),
    ("cloudtrail:StartDashboardRefresh", "Write", "sensitive", "dashboard"),
    ("cloudtrail:StartEventDataStoreIngestion", "Write", "sensitive", "eventdatastore"),
    ("cloudtrail:StartImport", "Write", "sensitive", ""),
    ("cloudtrail:StartLogging", "Write", "sensitive", "trail"),
    ("cloudtrail:StartQuery", "Write", "sensitive", "eventdatastore"),
    ("cloudtrail:StopEventDataStoreIngestion", "Write", "tampering", "eventdatastore"),
    ("cloudtrail:StopImport", "Write", "tampering", ""),
    ("cloudtrail:StopLogging", "Write", "tampering", "trail"),
    ("cloudtrail:UpdateChannel", "Write", "tampering", "channel"),
    ("cloudtrail:UpdateDashboard", "Write", "sensitive", "dashboard"),
    ("cloudtrail:UpdateEventDataStore", "Write", "tampering", "eventdatastore"),
    ("cloudtrail:UpdateServiceLinkedChannel", "Write", "tampering", "channel"),
    ("cloudtrail:UpdateTrail", "Write", "tampering", "trail"),
];

/// Access level, risk and resource types of an action, compared as IAM compares: without regard to case.
pub fn find(action: &str) -> Option<(&'static str, &'static str, &'static str)> {
    ACTIONS.iter().find(|row| row.0.eq_ignore_ascii_case(action)).map(|row| (row.1, row.2, row.3))
}

/// The actions of one risk.
pub fn of_risk(
    risk: &'static str,
) -> impl Iterator<Item = &'static (&'static str, &'static str, &'static str, &'static str)> {
    ACTIONS.iter().filter(move |row| row.2 == risk)
}
