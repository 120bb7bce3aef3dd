"""Writes log files as CloudTrail does, the same for the same seed: `logs.py FOLDER MEGABYTES`, unpacked.

One record in seventeen was refused, and of these every fourth is about CloudTrail. Ids, addresses, keys and times are as different from each
other as they are in real logs, so that the files pack as real ones do: about one to ten.
"""

import gzip
import json
import pathlib
import random
import sys

SEED = 20261123
SIZES = (40, 400, 1500, 3000)
CALLS = (
    ("ec2", "DescribeInstances", {"instancesSet": {}, "filterSet": {}}),
    ("s3", "GetBucketAcl", {"bucketName": "data-lake-prod", "acl": ""}),
    ("kms", "Decrypt", {"encryptionAlgorithm": "SYMMETRIC_DEFAULT", "encryptionContext": {"PARAMETER_ARN": "arn:aws:ssm:eu-west-1:111122223333:parameter/app/db"}}),
    ("sts", "AssumeRole", {"roleArn": "arn:aws:iam::111122223333:role/app", "roleSessionName": "app", "durationSeconds": 3600}),
    ("cloudtrail", "LookupEvents", {"maxResults": 50}),
    ("logs", "DescribeLogStreams", {"logGroupName": "/aws/lambda/app", "policy": "{\"Version\":\"2012-10-17\"}"}),
    ("iam", "ListAttachedRolePolicies", {"roleName": "app"}),
)
REFUSED = (
    ("ec2", "RunInstances", "ec2:RunInstances", "arn:aws:ec2:eu-west-1:111122223333:instance/*"),
    ("s3", "GetObject", "s3:GetObject", "arn:aws:s3:::data-lake-prod/raw/part-0000.parquet"),
    ("secretsmanager", "GetSecretValue", "secretsmanager:GetSecretValue", "arn:aws:secretsmanager:eu-west-1:111122223333:secret:app"),
    ("cloudtrail", "GetTrailStatus", "cloudtrail:GetTrailStatus", "arn:aws:cloudtrail:eu-west-1:111122223333:trail/My-Trail"),
)
AGENTS = (
    "aws-cli/2.31.0 md/awscrt#0.27.6 ua/2.1 os/linux#6.1 md/arch#x86_64 lang/python#3.13.7 md/pyimpl#CPython m/W,b,Z cfg/retry-mode#standard",
    "Boto3/1.40.51 md/Botocore#1.40.51 ua/2.1 os/linux#5.10 md/arch#x86_64 lang/python#3.11.6 md/pyimpl#CPython cfg/retry-mode#legacy",
    "[aws-sdk-go-v2/1.39.2 os/linux lang/go#1.25.1 md/GOOS#linux md/GOARCH#amd64 api/ec2#1.251.2]",
)


class Logs:
    def __init__(self):
        self.random = random.Random(SEED)
        self.roles = [(f"service-{number:02}", "AROA" + self.letters(17)) for number in range(40)]

    def hex(self, digits):
        return f"{self.random.getrandbits(4 * digits):0{digits}x}"

    def letters(self, count):
        return "".join(self.random.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", k=count))

    def uuid(self):
        return f"{self.hex(8)}-{self.hex(4)}-4{self.hex(3)}-a{self.hex(3)}-{self.hex(12)}"

    def record(self, day, second):
        chance = self.random
        role, unique = chance.choice(self.roles)
        session = "i-0" + self.hex(16)
        arn = f"arn:aws:sts::111122223333:assumed-role/{role}/{session}"
        time = f"2026-10-{day:02}T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z"
        is_refused = chance.random() < 1 / 17
        service, name, about = chance.choice(REFUSED)[:3] if is_refused else chance.choice(CALLS)
        error = {}
        if is_refused:
            resource = next(one[3] for one in REFUSED if one[2] == about)
            error = {"errorCode": "AccessDenied", "errorMessage": (
                f"User: {arn} is not authorized to perform: {about} on resource: {resource} because no identity-based policy allows the {about} action")}
        return {
            "eventVersion": "1.11",
            "userIdentity": {
                "type": "AssumedRole", "principalId": f"{unique}:{session}", "arn": arn, "accountId": "111122223333", "accessKeyId": "ASIA" + self.letters(16),
                "sessionContext": {
                    "sessionIssuer": {"type": "Role", "principalId": unique, "arn": f"arn:aws:iam::111122223333:role/{role}", "accountId": "111122223333", "userName": role},
                    "attributes": {"creationDate": time, "mfaAuthenticated": "false"}, "ec2RoleDelivery": "2.0",
                },
            },
            "eventTime": time, "eventSource": f"{service}.amazonaws.com", "eventName": name, "awsRegion": "eu-west-1",
            "sourceIPAddress": ".".join(str(chance.randrange(256)) for _ in range(4)), "userAgent": chance.choice(AGENTS),
            **error,
            "requestParameters": None if is_refused else about, "responseElements": None,
            "requestID": self.uuid(), "eventID": self.uuid(), "readOnly": True,
            "resources": [{"accountId": "111122223333", "type": "AWS::KMS::Key", "ARN": f"arn:aws:kms:eu-west-1:111122223333:key/{self.uuid()}"}],
            "eventType": "AwsApiCall", "managementEvent": True, "recipientAccountId": "111122223333", "eventCategory": "Management",
            "tlsDetails": {"tlsVersion": "TLSv1.3", "cipherSuite": "TLS_AES_128_GCM_SHA256", "clientProvidedHostHeader": f"{service}.eu-west-1.amazonaws.com"},
        }

    def write(self, folder, megabytes):
        written = number = 0
        while written < megabytes * 1_000_000:
            day, count = 1 + number % 28, self.random.choice(SIZES)
            records = [self.record(day, self.random.randrange(86400)) for _ in range(count)]
            text = json.dumps({"Records": records}, separators=(",", ":")).encode()
            place = folder / f"AWSLogs/111122223333/CloudTrail/eu-west-1/2026/10/{day:02}"
            place.mkdir(parents=True, exist_ok=True)
            # Without a time in its head, so that the same seed gives the same bytes.
            (place / f"111122223333_CloudTrail_eu-west-1_202610{day:02}T0000Z_{number:06}.json.gz").write_bytes(gzip.compress(text, 6, mtime=0))
            written, number = written + len(text), number + 1


if __name__ == "__main__":
    Logs().write(pathlib.Path(sys.argv[1]), int(sys.argv[2]))
