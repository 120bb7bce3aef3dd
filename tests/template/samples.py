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
    ("Config, invokedBy", "ThroughCloudTrailRule", denial(
        "config", "DescribeConfigurationRecorders", reason=False, userIdentity=BY_CLOUDTRAIL)),
    ("Logs, sourceIPAddress", "ThroughCloudTrailRule", denial(
        "logs", "DescribeLogGroups", f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group::log-stream:", sourceIPAddress="cloudtrail.amazonaws.com")),
    ("IAM, invokedBy", "ThroughCloudTrailRule", denial("iam", "GetRole", "role CT", userIdentity=BY_CLOUDTRAIL)),
    ("Organizations, invokedBy", "ThroughCloudTrailRule", denial("organizations", "DescribeOrganization", userIdentity=BY_CLOUDTRAIL)),
    ("EC2's code, invokedBy", "ThroughCloudTrailRule", denial(
        "ec2", "DescribeVpcEndpoints", code="Client.UnauthorizedOperation", userIdentity=BY_CLOUDTRAIL)),
    # IAM: somebody gives somebody a policy. Never more than the sentence.
    *((name, "PolicyWriteRule", denial("iam", name, f"{kind} bob")) for name, kind in (
        ("AttachUserPolicy", "user"), ("AttachRolePolicy", "role"), ("AttachGroupPolicy", "group"),
        ("PutUserPolicy", "user"), ("PutRolePolicy", "role"), ("PutGroupPolicy", "group"))),
    ("AttachUserPolicy with parameters", "PolicyWriteRule", denial("iam", "AttachUserPolicy", "user bob", requestParameters={
        "userName": "bob", "policyArn": "arn:aws:iam::aws:policy/AWSCloudTrail_ReadOnlyAccess"})),
    # S3: log files and the trail's bucket.
    ("log file, sentence", "LogFileRule", denial("s3", "GetObject", f'"arn:aws:s3:::some-bucket/{LOG_KEY}"')),
    ("log file, prefix and organization", "LogFileRule", denial(
        "s3", "GetObject", f'"arn:aws:s3:::b/acme/AWSLogs/o-a1b2c3d4e5/{ACCOUNT}/CloudTrail-Digest/x"')),
    ("log file, Access Denied", "LogFileRule", event("s3", "GetObject", "AccessDenied", "Access Denied", requestParameters={
        "bucketName": "some-bucket", "Host": "some-bucket.s3.amazonaws.com", "key": LOG_KEY})),
    ("trail's bucket, sentence", "TrailBucketRule", denial("s3", "PutBucketLifecycle", f'"arn:aws:s3:::{BUCKET}"', action="s3:PutLifecycleConfiguration")),
    ("trail's bucket, Access Denied", "TrailBucketRule", event("s3", "PutBucketPolicy", "AccessDenied", "Access Denied", requestParameters={
        "bucketName": BUCKET, "Host": "s3.eu-west-1.amazonaws.com", "policy": ""})),
    ("another bucket", None, denial("s3", "GetObject", '"arn:aws:s3:::some-bucket/report.csv"')),
    ("another service's log file", None, denial("s3", "GetObject", f'"arn:aws:s3:::b/AWSLogs/{ACCOUNT}/Config/eu-west-1/x"')),
    ("another bucket, Access Denied", None, event("s3", "ListBuckets", "AccessDenied", "Access Denied", requestParameters={"Host": "s3"})),
    ("no such bucket", None, event("s3", "GetObject", "NoSuchBucket", f"The bucket {BUCKET} does not exist")),
    # CloudWatch Logs.
    ("console's group", "LogGroupRule", denial("logs", "FilterLogEvents", f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:aws-cloudtrail-logs-{ACCOUNT}-1a2b:log-stream:")),
    ("console's group, parameters", "LogGroupRule", event("logs", "DeleteLogGroup", "AccessDenied", "no", requestParameters={
        "logGroupName": "aws-cloudtrail-logs-x"})),
    ("trail's group", "TrailLogGroupRule", denial("logs", "DeleteLogGroup", GROUP)),
    ("trail's group, parameters", "TrailLogGroupRule", event("logs", "DeleteLogGroup", "AccessDeniedException", "no", requestParameters={
        "logGroupName": stack.FULL_TRAIL["TrailLogGroup"]})),
    ("another group", None, denial("logs", "DeleteLogGroup", f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:/aws/lambda/x:log-stream:")),
    ("all groups", None, denial("logs", "DescribeLogGroups", f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group::log-stream:")),
    # STS.
    ("role of CloudTrail", "AssumeRoleRule", denial("sts", "AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/CloudTrailReaders", reason=False)),
    ("role of CloudTrail, small letters", "AssumeRoleRule", denial("sts", "AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/audit/read-cloudtrail")),
    ("role of CloudTrail, SAML", "AssumeRoleRule", event(
        "sts", "AssumeRoleWithSAML", "AccessDenied", "Not authorized to perform sts:AssumeRoleWithSAML",
        requestParameters={"roleArn": f"arn:aws:iam::{ACCOUNT}:role/CloudTrailReaders"}, userIdentity={"type": "SAMLUser"})),
    ("trail's log role", "TrailLogRoleRule", denial("sts", "AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/{stack.FULL_TRAIL['TrailLogRole']}", reason=False)),
    ("trail's log role, path", "TrailLogRoleRule", denial("sts", "AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/a/b/{stack.FULL_TRAIL['TrailLogRole']}")),
    ("another role", None, denial("sts", "AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/Billing", reason=False)),
    ("another role, by CloudTrailAdmin", None, denial(
        "sts", "AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/Billing", principal=f"arn:aws:sts::{ACCOUNT}:assumed-role/CloudTrailAdmin/x")),
    ("GetFederationToken", None, denial("sts", "GetFederationToken", f"arn:aws:sts::{ACCOUNT}:federated-user/CloudTrail", reason=False)),
    # KMS and SNS.
    ("trail's key", "TrailKeyRule", denial("kms", "ScheduleKeyDeletion", KEY)),
    ("trail's key, resources", "TrailKeyRule", event(
        "kms", "GenerateDataKey", "AccessDenied", f"User: {ALICE} is not authorized to perform: kms:GenerateDataKey on this resource because {THREE_WAY}",
        resources=[{"accountId": ACCOUNT, "type": "AWS::KMS::Key", "ARN": KEY}])),
    ("trail's key, parameters", "TrailKeyRule", event(
        "kms", "DisableKey", "AccessDenied", "no", requestParameters={"keyId": KEY.split("/")[1]})),
    ("another key", None, denial("kms", "Decrypt", KEY.replace("1234", "9999"))),
    ("no key", None, event("kms", "Decrypt", "AccessDenied", f"User: {ALICE} is not authorized to perform: kms:Decrypt on this resource")),
    ("trail's topic", "TrailTopicRule", denial("sns", "DeleteTopic", TOPIC, action="SNS:DeleteTopic")),
    ("trail's topic, parameters", "TrailTopicRule", event("sns", "DeleteTopic", "AccessDenied", "no", requestParameters={"topicArn": TOPIC})),
    ("another topic", None, denial("sns", "ListTopics", f"arn:aws:sns:eu-west-1:{ACCOUNT}:*", action="SNS:ListTopics")),
    # Not denials, or not CloudTrail's business.
    ("success", None, event("cloudtrail", "StopLogging", ABSENT, ABSENT)),
    ("success, null", None, event("cloudtrail", "StopLogging", None, None)),
    ("success, empty", None, event("cloudtrail", "StopLogging", "", "")),
    ("trail not found", None, event("cloudtrail", "StopLogging", "TrailNotFoundException", "Unknown trail: x")),
    ("throttled", None, event("cloudtrail", "LookupEvents", "ThrottlingException", "Rate exceeded")),
    ("invalid name", None, event("cloudtrail", "CreateTrail", "InvalidTrailNameException", "…")),
    ("Insight", None, event("cloudtrail", "StopLogging", "AccessDenied", "…", detail_type="AWS Insight via CloudTrail")),
    ("EC2", None, denial("ec2", "RunInstances", code="Client.UnauthorizedOperation")),
    ("Config by a person", None, denial("config", "DescribeConfigurationRecorders")),
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


TRAIL_RULES = {"TrailBucketRule", "TrailKeyRule", "TrailTopicRule", "TrailLogGroupRule", "TrailLogRoleRule"}


def expected(rule, has_trail):
    """The rules that pick a sample out; those for the trail's own resources exist only where these are configured."""
    return set() if rule is None or (rule in TRAIL_RULES and not has_trail) else {rule}
