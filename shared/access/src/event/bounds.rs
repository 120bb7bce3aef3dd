//! How much of a record is read and kept: what is over these limits was made to be, and must cost only itself.

use serde_json::Value;

use super::{Record, UserIdentity};

/// Bytes of one text: no ARN is longer, and CloudTrail cuts messages at half of it.
const LONGEST: usize = 2048;
/// Bytes of a policy in a request: three times what IAM takes, since some records hold it percent-encoded.
const LONGEST_POLICY: usize = 32 << 10;

impl Record {
    /// The record with every part bounded, as it is diagnosed and as it is kept with its case: what is computed from it later
    /// is what was computed from it first. AWS's own limits lie below these; what is over them was made to be.
    ///
    /// What is only shown is cut. What names something is left out whole, since half a name is another name.
    pub fn kept(mut self) -> Self {
        for shown in [&mut self.user_agent, &mut self.error_message, &mut self.error_code, &mut self.source_ip_address]
        {
            if let Some(text) = shown.as_mut().filter(|text| text.len() > LONGEST) {
                text.truncate(text.floor_char_boundary(LONGEST));
            }
        }
        for name in [
            &mut self.event_id,
            &mut self.shared_event_id,
            &mut self.request_id,
            &mut self.event_version,
            &mut self.event_time,
            &mut self.event_source,
            &mut self.event_name,
            &mut self.aws_region,
            &mut self.recipient_account_id,
            &mut self.vpc_endpoint_id,
            &mut self.vpc_endpoint_account_id,
        ] {
            leave_out_long(name);
        }
        if let Some(identity) = &mut self.user_identity {
            identity.leave_out_long();
        }
        if let Some(parameters) = &mut self.request_parameters {
            let mut left = 64;
            parameters.retain(|name, value| {
                let is_kept = left > 0 && name.len() <= 128 && is_small(name, value);
                left -= usize::from(is_kept);
                is_kept
            });
        }
        self.resources.truncate(10);
        for resource in &mut self.resources {
            leave_out_long(&mut resource.arn);
            leave_out_long(&mut resource.account_id);
        }
        self
    }
}

fn leave_out_long(text: &mut Option<String>) {
    if text.as_ref().is_some_and(|text| text.len() > LONGEST) {
        *text = None;
    }
}

/// Whether a parameter is of a kind and size that anything here reads.
fn is_small(name: &str, value: &Value) -> bool {
    let longest = if name == "policyDocument" { LONGEST_POLICY } else { LONGEST };
    match value {
        Value::String(text) => text.len() <= longest,
        Value::Array(items) => {
            items.len() <= 10 && items.iter().all(|i| i.as_str().is_some_and(|text| text.len() <= 256))
        }
        Value::Object(_) => name == "policyDocument" && value.to_string().len() <= longest,
        Value::Bool(_) | Value::Number(_) | Value::Null => true,
    }
}

impl UserIdentity {
    fn leave_out_long(&mut self) {
        for name in [
            &mut self.kind,
            &mut self.principal_id,
            &mut self.arn,
            &mut self.account_id,
            &mut self.user_name,
            &mut self.invoked_by,
            &mut self.identity_provider,
        ] {
            leave_out_long(name);
        }
        if let Some(issuer) = self.session_context.as_mut().and_then(|context| context.session_issuer.as_mut()) {
            for name in [
                &mut issuer.kind,
                &mut issuer.principal_id,
                &mut issuer.arn,
                &mut issuer.account_id,
                &mut issuer.user_name,
            ] {
                leave_out_long(name);
            }
        }
        if let Some(context) = &mut self.session_context {
            leave_out_long(&mut context.ec2_role_delivery);
        }
        if let Some(user) = &mut self.on_behalf_of {
            leave_out_long(&mut user.user_id);
            leave_out_long(&mut user.identity_store_arn);
        }
        if let Some(scope) = &mut self.in_scope_of {
            leave_out_long(&mut scope.issuer_type);
            leave_out_long(&mut scope.credentials_issued_to);
        }
    }
}
