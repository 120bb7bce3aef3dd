"""The peer: the same job in Python with boto3, as Lambda's Python runtime would run it.

The same batch of SQS in; for each denial an item in DynamoDB and a message to SNS. Clients are made at the start, as AWS's
documentation advises. It explains nothing and folds nothing: it only does the reading, the writing and the telling, in two calls
where triage makes more, so it is the cheapest responder there can be.
"""
import json
import os
import urllib.request

import boto3

table = boto3.client("dynamodb")
topic = boto3.client("sns")
api = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation"


def handle(event):
    for message in event["Records"]:
        record = json.loads(message["body"])["detail"]
        table.put_item(
            TableName=os.environ["TRAILPASS_TABLE"],
            Item={"pk": {"S": "PEER#" + record["eventID"]}, "version": {"N": "1"}, "body": {"S": json.dumps(record)}},
            ConditionExpression="attribute_not_exists(pk)",
        )
        said = f"{record['userIdentity']['arn']} was refused {record['eventName']}: {record['errorMessage']}"
        topic.publish(TopicArn=os.environ["TRAILPASS_NOTICES_TOPIC"], Subject="A refusal", Message=said)
    return {"batchItemFailures": []}


while True:
    with urllib.request.urlopen(f"{api}/next") as got:
        request, event = got.headers["Lambda-Runtime-Aws-Request-Id"], json.load(got)
    answer = json.dumps(handle(event)).encode()
    urllib.request.urlopen(urllib.request.Request(f"{api}/{request}/response", answer, method="POST")).read()
