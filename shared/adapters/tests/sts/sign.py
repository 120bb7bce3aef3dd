"""Signs answers with botocore, an independent implementation, with keys that it has an emulated AWS make.

It reads {"url", "region", "answer"} and prints {"user", "signed": {NAME: the signed answer, or one that was tampered with}}.
"""

import copy
import json
import sys
import urllib.request

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

asked = json.load(sys.stdin)
region = asked["region"]


def client(service, key="test", secret="test", token=None):
    return boto3.client(
        service,
        region_name=region,
        endpoint_url=asked["url"],
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token,
    )


def sign(credentials, answer, service="sts", at=region):
    request = AWSRequest(
        method="POST",
        url=f"https://sts.{at}.amazonaws.com/",
        data="Action=GetCallerIdentity&Version=2011-06-15",
        headers={
            "content-type": "application/x-www-form-urlencoded; charset=utf-8",
            "x-trailpass-answer": answer,
        },
    )
    SigV4Auth(credentials, service, at).add_auth(request)
    signed = {
        "schema": "trailpass.answer/1",
        "authorization": request.headers["Authorization"],
        "date": request.headers["X-Amz-Date"],
        "answer": answer,
    }
    if credentials.token:
        signed["token"] = credentials.token
    return signed


iam = client("iam")
user = iam.create_user(UserName="saanvi")["User"]
key = iam.create_access_key(UserName="saanvi")["AccessKey"]
trust = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
}
role = iam.create_role(RoleName="Admin", AssumeRolePolicyDocument=json.dumps(trust))["Role"]
assumed = client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="saanvi")["Credentials"]
# From now on this server looks at signatures.
urllib.request.urlopen(
    urllib.request.Request(asked["url"] + "/moto-api/reset-auth", data=b"0", headers={"content-type": "text/plain"})
)

own = Credentials(key["AccessKeyId"], key["SecretAccessKey"])
session = Credentials(assumed["AccessKeyId"], assumed["SecretAccessKey"], assumed["SessionToken"])
signed = {"user": sign(own, asked["answer"]), "session": sign(session, asked["answer"])}
for name, change in {
    "other answer": {"answer": asked["answer"].replace("approve", "reject")},
    "other date": {"date": "20200101T000000Z"},
    "other token": {"token": "another"},
    "other region": {"authorization": sign(own, asked["answer"], at="us-east-1")["authorization"]},
    "other service": {"authorization": sign(own, asked["answer"], service="iam")["authorization"]},
}.items():
    base = "session" if "token" in name else "user"
    signed[name] = {**copy.deepcopy(signed[base]), **change}
signed["other secret"] = sign(Credentials(key["AccessKeyId"], "x" * 40), asked["answer"])
signed["no such key"] = sign(Credentials("AKIAIOSFODNN7EXAMPLE", "x" * 40), asked["answer"])
json.dump({"user": user["Arn"], "signed": signed}, sys.stdout)
