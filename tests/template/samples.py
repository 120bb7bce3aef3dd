"""Events as they come: denials in the shapes that records really have, and what is not to be picked out.

requestParameters are null wherever they were null in the records that were looked at: nearly everywhere. Sentences have
AWS's forms, names are made up.
"""

import itertools

import stack

ACCOUNT = "111122223333"
ALICE = f"arn:aws:iam::{ACCOUNT}:user/alice"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/Developer/alice"
API_CALL = "AWS API Call via CloudTrail"
NETWORK = "AWS Network Activity Event via CloudTrail"
_number = itertools.count(1)


def event(service, name, code, message, detail_type=API_CALL, source=None, **fields):
    """An EventBridge event with a record in it. A field given as ABSENT is left out of the record."""
    number = next(_number)
    detail = {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "IAMUser",
            "principalId": "AIDACKCEVSQ6C2EXAMPLE",
            "arn": ALICE,
            "accountId": ACCOUNT,
            "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
            "userName": "alice",
        },
        "eventTime": "2026-10-05T08:00:01Z",
        "eventSource": f"{service}.amazonaws.com",
        "eventName": name,
        "awsRegion": "eu-west-1",
        "sourceIPAddress": "203.0.113.7",
        "userAgent": "aws-cli/2.31.0",
        "errorCode": code,
        "errorMessage": message,
        "requestParameters": None,
        "responseElements": None,
        "requestID": f"00000000-0000-4000-8000-{number:012}",
        "eventID": f"11111111-1111-4111-8111-{number:012}",
        "readOnly": name.startswith(("Get", "List", "Describe", "Lookup")),
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
    } | fields
    return {
        "version": "0",
        "id": f"22222222-2222-4222-8222-{number:012}",
        "detail-type": detail_type,
        "source": source or f"aws.{service}",
        "account": ACCOUNT,
        "time": "2026-10-05T08:00:02Z",
        "region": "eu-west-1",
        "resources": [],
        "detail": {key: value for key, value in detail.items() if value is not ABSENT},
    }


ABSENT = object()


def denial(service, name, resource=None, action=None, principal=ALICE, reason=True, code="AccessDenied", **fields):
    """A denial with AWS's sentence."""
    action = action or f"{service}:{name}"
    sentence = f"User: {principal} is not authorized to perform: {action}"
    if resource is not None:
        sentence += f" on resource: {resource}"
    if reason:
        sentence += f" because no identity-based policy allows the {action} action"
    return event(service, name, code, sentence, **fields)


def through_endpoint(service, name, **fields):
    """A denial by a VPC endpoint's policy. It says no more than that, and the record may lack nearly everything:
    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/logging-network-events-with-cloudtrail.html"""
    return event(
        service, name, "VpceAccessDenied", "The request was denied due to a VPC endpoint policy", detail_type=NETWORK,
        **{"eventType": "AwsVpceEvent", "eventCategory": "NetworkActivity", "managementEvent": ABSENT, "responseElements": ABSENT} | fields)


TRAIL = f"arn:aws:cloudtrail:eu-west-1:{ACCOUNT}:trail/My-Trail"
BUCKET = stack.FULL_TRAIL["TrailBucket"]
KEY = stack.FULL_TRAIL["TrailKeyArn"]
TOPIC = f"arn:aws:sns:eu-west-1:{ACCOUNT}:{stack.FULL_TRAIL['TrailTopicName']}"
GROUP = f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:{stack.FULL_TRAIL['TrailLogGroup']}:log-stream:"
LOG_KEY = f"AWSLogs/{ACCOUNT}/CloudTrail/eu-west-1/2026/10/05/{ACCOUNT}_CloudTrail_eu-west-1_x.json.gz"
BY_CLOUDTRAIL = {"type": "AssumedRole", "arn": SESSION, "accountId": ACCOUNT, "invokedBy": "cloudtrail.amazonaws.com"}
THREE_WAY = (
    "the resource does not exist in this Region, no resource-based policies allow access, "
    "or a resource-based policy explicitly denies access"
)

# For a rule that picks an event out only where the trail's own resources are given.
OF_THE_TRAIL = ", of the trail"

# Name, the one rule that picks it out, the event. Where there is no rule, nothing may pick it out.
SAMPLES = [
    # CloudTrail's own API: what would blind or expose the log.
    ("StopLogging", "TamperingRule", denial("cloudtrail", "StopLogging", TRAIL)),
    ("StopLogging with parameters", "TamperingRule", denial("cloudtrail", "StopLogging", TRAIL, requestParameters={"name": TRAIL})),
    ("StopLogging, API's code", "TamperingRule", denial("cloudtrail", "StopLogging", TRAIL, code="AccessDeniedException")),
    ("StopLogging, EC2's form", "TamperingRule", denial("cloudtrail", "StopLogging", TRAIL, code="Client.UnauthorizedOperation")),
    ("StopLogging, no text", "TamperingRule", denial("cloudtrail", "StopLogging", TRAIL, errorMessage=ABSENT)),
    ("StopLogging by root", "TamperingRule", denial("cloudtrail", "StopLogging", TRAIL, userIdentity={"type": "Root"})),
    ("DeleteTrail through an endpoint", "TamperingRule", event(
        "cloudtrail", "DeleteTrail", "VpceAccessDenied", "The request was denied due to a VPC endpoint policy",
        detail_type=NETWORK, eventType="AwsVpceEvent", eventCategory="NetworkActivity",
        userIdentity={"type": "AWSAccount", "principalId": "AIDACKCEVSQ6C2EXAMPLE", "accountId": ACCOUNT})),
    ("PutResourcePolicy", "TamperingRule", denial("cloudtrail", "PutResourcePolicy", TRAIL)),
    ("UpdateTrail, PassRole missing", "TamperingRule", denial(
        "cloudtrail", "UpdateTrail", f"arn:aws:iam::{ACCOUNT}:role/CT", action="iam:PassRole")),
    ("UpdateTrail, bucket's policy", "TamperingRule", event(
        "cloudtrail", "UpdateTrail", "InsufficientS3BucketPolicyException", "Incorrect S3 bucket policy is detected for bucket: x")),
    ("UpdateTrail of an organization", "TamperingRule", event("cloudtrail", "UpdateTrail", "OperationNotPermittedException", "no")),
    # Leaked credentials: whatever the call, but for those above.
    *((f"{name}, quarantined", rule, event(
        "cloudtrail", name, "AccessDenied",
        f"User: {SESSION} is not authorized to perform: cloudtrail:{name} on resource: {TRAIL} with an explicit deny in an identity-based "
        "policy: arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3"))
      for name, rule in (("LookupEvents", "QuarantineRule"), ("CreateTrail", "QuarantineRule"), ("StopLogging", "TamperingRule"))),
    ("GetTrailStatus, a name like the quarantine's", "DenialRule", denial("cloudtrail", "GetTrailStatus", "AWSCompromisedKeyQuarantine")),
    ("GetTrailStatus, no text", "DenialRule", denial("cloudtrail", "GetTrailStatus", TRAIL, errorMessage=ABSENT)),
    # CloudTrail's own API: the rest.
    ("GetTrailStatus", "DenialRule", denial("cloudtrail", "GetTrailStatus", "My-Trail", reason=False)),
    ("DescribeTrails", "DenialRule", denial("cloudtrail", "DescribeTrails")),
    ("LookupEvents", "DenialRule", denial("cloudtrail", "LookupEvents")),
    ("ListInsightsMetricData", "DenialRule", denial("cloudtrail", "ListInsightsMetricData", action="cloudtrail:LookupEvents")),
    ("CreateTrail, SCP", "DenialRule", event(
        "cloudtrail", "CreateTrail", "AccessDenied",
        f"User: {SESSION} is not authorized to perform: cloudtrail:CreateTrail on resource: {TRAIL} with an explicit deny in a "
        "service control policy")),
    ("service's own words", "DenialRule", event(
        "cloudtrail", "GetTrail", "AccessDeniedException", "Access Denied: You do not have permission to operate on this resource")),
    ("an action of tomorrow", "DenialRule", denial("cloudtrail", "GetSomethingNew")),
    ("GetTrail through an endpoint", "DenialRule", event(
        "cloudtrail", "GetTrail", "VpceAccessDenied", "The request was denied due to a VPC endpoint policy", detail_type=NETWORK)),
    ("PutAuditEvents", "DenialRule", denial("cloudtrail-data", "PutAuditEvents", managementEvent=False, eventCategory="Data")),
    ("PutAuditEvents, channel", "DenialRule", event("cloudtrail-data", "PutAuditEvents", "ChannelInsufficientPermission", "no")),
    *((f"CreateTrail, {code}", "DenialRule", event("cloudtrail", "CreateTrail", code, "…")) for code in (
        "InsufficientS3BucketPolicyException", "InsufficientSnsTopicPolicyException", "InsufficientEncryptionPolicyException",
        "InvalidCloudWatchLogsRoleArnException", "InvalidCloudWatchLogsLogGroupArnException",
        "NoManagementAccountSLRExistsException", "InsufficientDependencyServiceAccessPermissionException",
        "InsufficientIAMAccessPermissionException", "OperationNotPermittedException", "NotOrganizationMasterAccountException",
        "NotOrganizationManagementAccountException", "CloudTrailAccessNotEnabledException")),
    ("from another account", "DenialRule", denial("cloudtrail", "GetTrail", TRAIL, userIdentity={
        "type": "AWSAccount", "principalId": "AROAEXAMPLE:x", "accountId": "444455556666"})),
    # Other services, through CloudTrail.
    ("Config, invokedBy", "OtherServicesRule", denial(
        "config", "DescribeConfigurationRecorders", reason=False, userIdentity=BY_CLOUDTRAIL)),
    ("Logs, sourceIPAddress", "LogsRule", denial(
        "logs", "DescribeLogGroups", f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group::log-stream:", sourceIPAddress="cloudtrail.amazonaws.com")),
    ("IAM, invokedBy", "IamRule", denial("iam", "GetRole", "role CT", userIdentity=BY_CLOUDTRAIL)),
    ("Organizations, invokedBy", "OtherServicesRule", denial("organizations", "DescribeOrganization", userIdentity=BY_CLOUDTRAIL)),
    ("EC2's code, invokedBy", "OtherServicesRule", denial(
        "ec2", "DescribeVpcEndpoints", code="Client.UnauthorizedOperation", userIdentity=BY_CLOUDTRAIL)),
    *((f"{service}, invokedBy", rule, denial(service, name, userIdentity=BY_CLOUDTRAIL)) for service, name, rule in (
        ("s3", "GetBucketAcl", "S3Rule"), ("sts", "GetCallerIdentity", "StsRule"), ("kms", "DescribeKey", "KmsRule"), ("sns", "ListTopics", "SnsRule"))),
    *((f"{service}, invokedBy through an endpoint", rule, through_endpoint(service, name, userIdentity=BY_CLOUDTRAIL)) for service, name, rule in (
        ("config", "DescribeConfigRules", "OtherServicesRule"), ("s3", "GetBucketAcl", "S3Rule"), ("logs", "DescribeLogGroups", "LogsRule"))),
    # Other services' records, over a permission of CloudTrail's or over one of its roles.
    ("sentence of CloudTrail's", "OtherServicesRule", denial("cloudformation", "CreateStack", TRAIL, action="cloudtrail:GetTrail")),
    ("sentence of cloudtrail-data's", "OtherServicesRule", denial("osis", "CreatePipeline", action="cloudtrail-data:PutAuditEvents", reason=False)),
    ("PassRole, Config", "OtherServicesRule", denial(
        "config", "PutConfigurationRecorder", f"arn:aws:iam::{ACCOUNT}:role/CloudTrail_CloudWatchLogs_Role", action="iam:PassRole")),
    ("PassRole, Firehose", "OtherServicesRule", denial(
        "firehose", "CreateDeliveryStream", f"arn:aws:iam::{ACCOUNT}:role/a/CLOUDTRAIL", action="iam:PassRole", code="AccessDeniedException")),
    *((f"PassRole, {service}", rule, denial(service, name, f"arn:aws:iam::{ACCOUNT}:role/{stack.FULL_TRAIL['TrailLogRole']}", action="iam:PassRole"))
        for service, name, rule in (
            ("lambda", "CreateFunction", "OtherServicesRule"), ("logs", "PutSubscriptionFilter", "LogsRule"), ("s3", "PutBucketReplication", "S3Rule"),
            ("sns", "SetTopicAttributes", "SnsRule"), ("iam", "AddRoleToInstanceProfile", "IamRule"))),
    ("trail's key, another service", "OtherServicesRule" + OF_THE_TRAIL, denial("athena", "StartQueryExecution", KEY, action="kms:Decrypt")),
    # IAM: somebody gives somebody a policy. Never more than the sentence.
    *((name, "IamRule", denial("iam", name, f"{kind} bob")) for name, kind in (
        ("AttachUserPolicy", "user"), ("AttachRolePolicy", "role"), ("AttachGroupPolicy", "group"),
        ("PutUserPolicy", "user"), ("PutRolePolicy", "role"), ("PutGroupPolicy", "group"))),
    ("AttachUserPolicy with parameters", "IamRule", denial("iam", "AttachUserPolicy", "user bob", requestParameters={
        "userName": "bob", "policyArn": "arn:aws:iam::aws:policy/AWSCloudTrail_ReadOnlyAccess"})),
    # S3: log files and the trail's bucket.
    ("log file, sentence", "S3Rule", denial("s3", "GetObject", f'"arn:aws:s3:::some-bucket/{LOG_KEY}"')),
    ("log file, prefix and organization", "S3Rule", denial(
        "s3", "GetObject", f'"arn:aws:s3:::b/acme/AWSLogs/o-a1b2c3d4e5/{ACCOUNT}/CloudTrail-Digest/x"')),
    ("log file, Access Denied", "S3Rule", event("s3", "GetObject", "AccessDenied", "Access Denied", requestParameters={
        "bucketName": "some-bucket", "Host": "some-bucket.s3.amazonaws.com", "key": LOG_KEY})),
    ("trail's bucket, sentence", "S3Rule" + OF_THE_TRAIL, denial("s3", "PutBucketLifecycle", f'"arn:aws:s3:::{BUCKET}"', action="s3:PutLifecycleConfiguration")),
    ("trail's bucket, Access Denied", "S3Rule" + OF_THE_TRAIL, event("s3", "PutBucketPolicy", "AccessDenied", "Access Denied", requestParameters={
        "bucketName": BUCKET, "Host": "s3.eu-west-1.amazonaws.com", "policy": ""})),
    ("log file through an endpoint", "S3Rule", through_endpoint("s3", "GetObject", requestParameters={"bucketName": BUCKET, "key": LOG_KEY})),
    ("log file in the trail's bucket", "S3Rule", denial(
        "s3", "GetObject", f'"arn:aws:s3:::{BUCKET}/{LOG_KEY}"', requestParameters={"bucketName": BUCKET, "key": LOG_KEY})),
    ("log file, key refused", "S3Rule", denial(
        "s3", "GetObject", KEY, action="kms:Decrypt", requestParameters={"bucketName": "some-bucket", "key": LOG_KEY})),
    # Narrower than triage, as the rules' comment says: there are no wildcards left for the key.
    ("trail's key, neither log file nor bucket", None, denial(
        "s3", "GetObject", KEY, action="kms:Decrypt", requestParameters={"bucketName": "some-bucket", "key": "report.csv"})),
    ("trail's bucket through an endpoint", "S3Rule" + OF_THE_TRAIL, through_endpoint("s3", "ListObjects", requestParameters={"bucketName": BUCKET})),
    ("trail's bucket, through CloudTrail", "S3Rule", denial("s3", "GetBucketPolicy", f'"arn:aws:s3:::{BUCKET}"', userIdentity=BY_CLOUDTRAIL)),
    ("another bucket", None, denial("s3", "GetObject", '"arn:aws:s3:::some-bucket/report.csv"')),
    ("another service's log file", None, denial("s3", "GetObject", f'"arn:aws:s3:::b/AWSLogs/{ACCOUNT}/Config/eu-west-1/x"')),
    ("another bucket, Access Denied", None, event("s3", "ListBuckets", "AccessDenied", "Access Denied", requestParameters={"Host": "s3"})),
    ("no such bucket", None, event("s3", "GetObject", "NoSuchBucket", f"The bucket {BUCKET} does not exist")),
    # CloudWatch Logs.
    ("console's group", "LogsRule", denial("logs", "FilterLogEvents", f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:aws-cloudtrail-logs-{ACCOUNT}-1a2b:log-stream:")),
    ("console's group, parameters", "LogsRule", event("logs", "DeleteLogGroup", "AccessDenied", "no", requestParameters={
        "logGroupName": "aws-cloudtrail-logs-x"})),
    ("trail's group", "LogsRule" + OF_THE_TRAIL, denial("logs", "DeleteLogGroup", GROUP)),
    ("trail's group, parameters", "LogsRule" + OF_THE_TRAIL, event("logs", "DeleteLogGroup", "AccessDeniedException", "no", requestParameters={
        "logGroupName": stack.FULL_TRAIL["TrailLogGroup"]})),
    ("console's group, identifier", "LogsRule", event("logs", "FilterLogEvents", "AccessDeniedException", "no", requestParameters={
        "logGroupIdentifier": f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:aws-cloudtrail-logs-x"})),
    ("console's group, identifier is a name", "LogsRule", event("logs", "FilterLogEvents", "AccessDeniedException", "no", requestParameters={
        "logGroupIdentifier": "aws-cloudtrail-logs-x"})),
    *((f"trail's group, identifier {identifier}", "LogsRule" + OF_THE_TRAIL, event(
        "logs", "FilterLogEvents", "AccessDenied", "no", requestParameters={"logGroupIdentifier": identifier}))
        for identifier in (stack.FULL_TRAIL["TrailLogGroup"], GROUP.removesuffix(":log-stream:"))),
    ("another group, identifier", None, event("logs", "FilterLogEvents", "AccessDenied", "no", requestParameters={
        "logGroupIdentifier": f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:/aws/lambda/x"})),
    ("another group", None, denial("logs", "DeleteLogGroup", f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:/aws/lambda/x:log-stream:")),
    ("all groups", None, denial("logs", "DescribeLogGroups", f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group::log-stream:")),
    # STS.
    ("role of CloudTrail", "StsRule", denial("sts", "AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/CloudTrailReaders", reason=False)),
    ("role of CloudTrail, small letters", "StsRule", denial("sts", "AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/audit/read-cloudtrail")),
    ("role of CloudTrail, SAML", "StsRule", event(
        "sts", "AssumeRoleWithSAML", "AccessDenied", "Not authorized to perform sts:AssumeRoleWithSAML",
        requestParameters={"roleArn": f"arn:aws:iam::{ACCOUNT}:role/CloudTrailReaders"}, userIdentity={"type": "SAMLUser"})),
    *((f"role of CloudTrail, {name}", "StsRule", denial("sts", "AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/{name}", reason=False))
        for name in ("CLOUDTRAIL-READERS", "Cloudtrail", "audit/cloudTrail-x")),
    ("role of CLOUDTRAIL, SAML", "StsRule", event(
        "sts", "AssumeRoleWithSAML", "AccessDenied", "no", requestParameters={"roleArn": f"arn:aws:iam::{ACCOUNT}:role/CLOUDTRAIL"})),
    ("trail's log role", "StsRule" + OF_THE_TRAIL, denial("sts", "AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/{stack.FULL_TRAIL['TrailLogRole']}", reason=False)),
    ("trail's log role, path", "StsRule" + OF_THE_TRAIL, denial("sts", "AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/a/b/{stack.FULL_TRAIL['TrailLogRole']}")),
    ("another role", None, denial("sts", "AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/Billing", reason=False)),
    # Wider than need be: with the few wildcards that there may be, a caller's name can't be told from a role's.
    ("another role, by CloudTrailAdmin", "StsRule", denial(
        "sts", "AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/Billing", principal=f"arn:aws:sts::{ACCOUNT}:assumed-role/CloudTrailAdmin/x")),
    ("GetFederationToken", None, denial("sts", "GetFederationToken", f"arn:aws:sts::{ACCOUNT}:federated-user/CloudTrail", reason=False)),
    # KMS and SNS.
    ("trail's key", "KmsRule" + OF_THE_TRAIL, denial("kms", "ScheduleKeyDeletion", KEY)),
    ("trail's key, resources", "KmsRule" + OF_THE_TRAIL, event(
        "kms", "GenerateDataKey", "AccessDenied", f"User: {ALICE} is not authorized to perform: kms:GenerateDataKey on this resource because {THREE_WAY}",
        resources=[{"accountId": ACCOUNT, "type": "AWS::KMS::Key", "ARN": KEY}])),
    ("trail's key, parameters", "KmsRule" + OF_THE_TRAIL, event(
        "kms", "DisableKey", "AccessDenied", "no", requestParameters={"keyId": KEY.split("/")[1]})),
    ("trail's key through an endpoint", "KmsRule" + OF_THE_TRAIL, through_endpoint(
        "kms", "Decrypt", resources=[{"accountId": ACCOUNT, "type": "AWS::KMS::Key", "ARN": KEY}])),
    ("another key", None, denial("kms", "Decrypt", KEY.replace("1234", "9999"))),
    ("no key", None, event("kms", "Decrypt", "AccessDenied", f"User: {ALICE} is not authorized to perform: kms:Decrypt on this resource")),
    ("trail's topic", "SnsRule" + OF_THE_TRAIL, denial("sns", "DeleteTopic", TOPIC, action="SNS:DeleteTopic")),
    ("trail's topic, parameters", "SnsRule" + OF_THE_TRAIL, event("sns", "DeleteTopic", "AccessDenied", "no", requestParameters={"topicArn": TOPIC})),
    ("trail's topic, to be made", "SnsRule" + OF_THE_TRAIL, event("sns", "CreateTopic", "AccessDenied", "no", requestParameters={
        "name": stack.FULL_TRAIL["TrailTopicName"]})),
    ("another topic", None, denial("sns", "ListTopics", f"arn:aws:sns:eu-west-1:{ACCOUNT}:*", action="SNS:ListTopics")),
    # EC2's form of the code, wherever it stands.
    *((f"{code}, {service}", rule, denial(service, name, resource, action=action, code=code))
        for code in ("UnauthorizedOperation", "Client.UnauthorizedOperation") for service, name, resource, action, rule in (
            ("s3", "GetObject", f'"arn:aws:s3:::b/{LOG_KEY}"', None, "S3Rule"), ("iam", "PutUserPolicy", "user bob", None, "IamRule"),
            ("logs", "DeleteLogGroup", GROUP, None, "LogsRule" + OF_THE_TRAIL), ("kms", "Decrypt", KEY, None, "KmsRule" + OF_THE_TRAIL),
            ("sns", "DeleteTopic", TOPIC, "SNS:DeleteTopic", "SnsRule" + OF_THE_TRAIL),
            ("sts", "AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/cloudtrail", None, "StsRule"))),
    # Not denials, or not CloudTrail's business.
    ("success", "BlindingRule", event("cloudtrail", "StopLogging", ABSENT, ABSENT)),
    ("success, null", "BlindingRule", event("cloudtrail", "StopLogging", None, None)),
    ("success, empty", "BlindingRule", event("cloudtrail", "StopLogging", "", "")),
    ("trail not found", None, event("cloudtrail", "StopLogging", "TrailNotFoundException", "Unknown trail: x")),
    ("throttled", None, event("cloudtrail", "LookupEvents", "ThrottlingException", "Rate exceeded")),
    ("invalid name", None, event("cloudtrail", "CreateTrail", "InvalidTrailNameException", "…")),
    ("Insight", None, event("cloudtrail", "StopLogging", "AccessDenied", "…", detail_type="AWS Insight via CloudTrail")),
    ("EC2", None, denial("ec2", "RunInstances", code="Client.UnauthorizedOperation")),
    ("Config by a person", None, denial("config", "DescribeConfigurationRecorders")),
    ("EC2 over EC2's own", None, denial("ec2", "CreateFlowLogs", f"arn:aws:ec2:eu-west-1:{ACCOUNT}:vpc/cloudtrail")),
    ("EC2 through an endpoint", None, through_endpoint("ec2", "DescribeInstances")),
    ("IAM, another call", None, denial("iam", "CreateRole", f"arn:aws:iam::{ACCOUNT}:role/CloudTrail_CloudWatchLogs_Role")),
    ("IAM, not denied", None, event("iam", "AttachUserPolicy", "NoSuchEntityException", "…")),
    ("successful call through CloudTrail", None, event("s3", "GetBucketAcl", ABSENT, ABSENT, userIdentity=BY_CLOUDTRAIL)),
    ("invokedBy another service", None, denial("s3", "GetBucketAcl", userIdentity=BY_CLOUDTRAIL | {"invokedBy": "config.amazonaws.com"})),
    ("userAgent says CloudTrail", None, denial("config", "DescribeConfigRules", userAgent="cloudtrail.amazonaws.com")),
    # The word of somebody who can put events: a source that is not AWS's.
    ("forged", None, event("cloudtrail", "StopLogging", "AccessDenied", "…", source="acme.cloudtrail")),
    ("forged, through CloudTrail", None, event("s3", "GetBucketAcl", "AccessDenied", "…", source="awsome.s3", userIdentity=BY_CLOUDTRAIL)),
    ("not a record", None, {"version": "0", "id": "x", "detail-type": "Object Created", "source": "aws.s3", "account": ACCOUNT,
                            "time": "2026-10-05T08:00:02Z", "region": "eu-west-1", "resources": [], "detail": {}}),
]


def expected(rule, has_trail):
    """The rules that pick a sample out, where the trail's own resources are given or not."""
    # What succeeded is no denial, and another rule's business: `rules_test` looks at it by itself.
    if rule in (None, "BlindingRule") or (rule.endswith(OF_THE_TRAIL) and not has_trail):
        return set()
    return {rule.removesuffix(OF_THE_TRAIL)}
