"""An AWS account that moto plays, and what is asked of it."""

import base64
import json
import subprocess
import sys
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

# The server, and the judge of policies that it uses.
SERVER = Path(__file__).resolve().parents[2] / "aws"
sys.path.insert(0, str(SERVER))
import policy  # noqa: E402, F401

ACCOUNT = "123456789012"
REGION = "eu-central-1"


class Moto:
    """The server; its process ends when its standard input does. What it refuses goes to `log`."""

    def __init__(self, log):
        self.log = log

    def __enter__(self):
        with self.log.open("w") as log:
            program = [sys.executable, SERVER / "moto_server.py"]
            self.process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"moto did not start: {self.log.read_text()}")
        ready = json.loads(line)
        self.url = f"http://127.0.0.1:{ready['port']}"
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(timeout=30)

    def client(self, service, key="test", secret="test"):
        style = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})
        return boto3.client(
            service, endpoint_url=self.url, region_name=REGION, aws_access_key_id=key, aws_secret_access_key=secret, config=style
        )


def signed_over_tls(client):
    """boto3 sends a customer's key over TLS alone; the policy is asked over plain HTTP here."""

    def put(SSECustomerAlgorithm, SSECustomerKey, **named):
        headers = {
            "x-amz-server-side-encryption-customer-algorithm": SSECustomerAlgorithm,
            "x-amz-server-side-encryption-customer-key": base64.b64encode(SSECustomerKey.encode()).decode(),
        }

        def add(request, **_):
            for name, value in headers.items():
                request.headers[name] = value

        client.meta.events.register_first("before-sign.s3.PutObject", add)
        try:
            return client.put_object(**named)
        finally:
            client.meta.events.unregister("before-sign.s3.PutObject", add)

    return put


def refused(call, *arguments, **named):
    try:
        call(*arguments, **named)
    except ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"]
    return None


def left_over(moto):
    """Names of what an AWS account would still be billed or blamed for."""
    return sorted(
        [f"queue {url}" for url in moto.client("sqs").list_queues().get("QueueUrls", [])]
        + [f"function {f['FunctionName']}" for f in moto.client("lambda").list_functions()["Functions"]]
        + [f"log group {g['logGroupName']}" for g in moto.client("logs").describe_log_groups()["logGroups"]]
        + [f"role {r['RoleName']}" for r in moto.client("iam").list_roles()["Roles"]]
        + [f"user {u['UserName']}" for u in moto.client("iam").list_users()["Users"]]
        + [f"policy {p['PolicyName']}" for p in moto.client("iam").list_policies(Scope="Local")["Policies"]]
        + [f"bus {b['Name']}" for b in moto.client("events").list_event_buses()["EventBuses"] if b["Name"] != "default"]
        + [f"rule {r['Name']}" for r in moto.client("events").list_rules()["Rules"]]
        + [f"topic {t['TopicArn']}" for t in moto.client("sns").list_topics()["Topics"]]
        + [f"alarm {a['AlarmName']}" for a in moto.client("cloudwatch").describe_alarms()["MetricAlarms"]]
        + [f"schedule {s['Name']}" for s in moto.client("scheduler").list_schedules()["Schedules"]]
        + [f"table {t}" for t in moto.client("dynamodb").list_tables()["TableNames"]]
        + [f"stream {s}" for s in moto.client("firehose").list_delivery_streams()["DeliveryStreamNames"]]
        + [f"database {d['Name']}" for d in moto.client("glue").get_databases()["DatabaseList"]]
        + [f"workgroup {w['Name']}" for w in moto.client("athena").list_work_groups()["WorkGroups"] if w["Name"] != "primary"]
        + [f"cluster {c['DBClusterIdentifier']}" for c in moto.client("rds").describe_db_clusters()["DBClusters"]]
        + [f"network {v['VpcId']}" for v in moto.client("ec2").describe_vpcs()["Vpcs"] if not v["IsDefault"]]
        + [f"endpoint {e['VpcEndpointId']}" for e in moto.client("ec2").describe_vpc_endpoints()["VpcEndpoints"] if e["State"] != "deleted"]
    )
