"""A stand-in for AWS on this machine: moto's server on a port that the system chose, ended with the test."""

import os
import pathlib
import re
import subprocess
import sys
import threading
import urllib.request

import boto3
from botocore.config import Config

# Whoever runs this may have credentials of a real account lying around. They are not for here.
os.environ |= {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_MAX_ATTEMPTS": "1",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}
for _name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
    os.environ.pop(_name, None)

START_SECONDS = 60


class LocalAws:
    """`with LocalAws() as aws: aws.client("sqs")`"""

    def __init__(self, region="eu-west-1", account="111122223333"):
        self.region, self.account = region, account

    def __enter__(self):
        environment = os.environ | {
            # Without it there is not one of AWS's managed policies.
            "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
            "MOTO_ACCOUNT_ID": self.account,
            "PYTHONUNBUFFERED": "1",
        }
        command = [str(pathlib.Path(sys.executable).with_name("moto_server")), "-H", "127.0.0.1", "-p", "0"]
        self.server = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.lines, self.url, found = [], None, threading.Event()

        def read():
            # Reads on to the end: a pipe that nobody reads would stop the server.
            for line in self.server.stdout:
                self.lines = [*self.lines[-50:], line]
                if match := re.search(r"http://127\.0\.0\.1:\d+", line):
                    self.url = match[0]
                    found.set()
            found.set()

        threading.Thread(target=read, daemon=True).start()
        if not found.wait(START_SECONDS) or self.url is None:
            self.__exit__()
            raise RuntimeError("moto_server did not start:\n" + "".join(self.lines))
        return self

    def __exit__(self, *_):
        self.server.terminate()
        try:
            self.server.wait(10)
        except subprocess.TimeoutExpired:
            self.server.kill()
            self.server.wait()
        self.server.stdout.close()

    def client(self, service, session=None):
        """A client of one service of the stand-in: an administrator's, or of a session that AssumeRole gave."""
        quick = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=60)
        keys = {} if session is None else {
            "aws_access_key_id": session["AccessKeyId"], "aws_secret_access_key": session["SecretAccessKey"], "aws_session_token": session["SessionToken"],
        }
        return boto3.client(service, endpoint_url=self.url, region_name=self.region, config=quick, **keys)

    def enforce(self):
        """From here on every call needs the permission of whoever makes it."""
        request = urllib.request.Request(f"{self.url}/moto-api/reset-auth", b"0", {"Content-Type": "text/plain"}, method="POST")
        urllib.request.urlopen(request, timeout=10).close()
