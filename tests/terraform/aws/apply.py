#!/usr/bin/env python3
"""Applies the unmodified root terraform/aws to a moto server on loopback: apply, an empty second plan, destroy.

    apply.py [--plugin-dir DIR]... [SCENARIO...]

Scenarios, all unless named:
  plain      as a person applies it, -var site=… and packages from a directory; what is left when footage is in the bucket
  elaborate  every choice at once: an existing bucket, packages in S3, KMS, IoT, archive, a table of records, a function triggered by
             records
  added      directories with a function.yaml of every kind of trigger are added, and nothing else; one is an image that has to be
             asked for, one is that of the guide in functions/README.md; they are taken out again
  catalogue  the catalogue is on, which is one variable: its database, its network, the functions that fill it and answer from it; what
             keeps it from being destroyed; and a database that is there already

Ends with `N passed, N failed, N skipped`. What moto cannot do is said where it is passed over.
"""

import argparse
import base64
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[2]
sys.path.insert(0, str(REPOSITORY / "tests/aws"))
import policy  # noqa: E402
ACCOUNT = "123456789012"
REGION = "eu-central-1"

passed = failed = 0


def check(what, held, why=""):
    global passed, failed
    if held:
        passed += 1
        print(f"ok      {what}", flush=True)
    else:
        failed += 1
        print(f"FAILED  {what} {why}", flush=True)
    return held


class Moto:
    """The server; its process ends when its standard input does. What it refuses goes to `log`."""

    def __init__(self, log):
        self.log = log

    def __enter__(self):
        with self.log.open("w") as log:
            program = [sys.executable, REPOSITORY / "tests/aws/moto_server.py"]
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


class Root:
    """A copy of the repository's Terraform, with the override file beside the root and nothing else changed."""

    def __init__(self, work, moto, plugin_dirs):
        self.dir = work / "terraform" / "aws"
        hidden = shutil.ignore_patterns(".terraform*", "*.tfstate*")
        shutil.copytree(REPOSITORY / "terraform", work / "terraform", ignore=hidden)
        shutil.copytree(REPOSITORY / "functions", work / "functions", ignore=shutil.ignore_patterns("src", "target"))
        shutil.copytree(REPOSITORY / "events/schemas", work / "events/schemas")
        shutil.copy(HERE / "moto_override.tf", self.dir)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TF_"))}
        self.environment = inherited | {
            "AWS_ENDPOINT_URL": moto.url,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_EC2_METADATA_DISABLED": "true",
            "TF_IN_AUTOMATION": "1",
        }
        self.variables = {}
        self.run("init", *(f"-plugin-dir={directory}" for directory in plugin_dirs), variables=False)

    def run(self, command, *arguments, variables=True, may_fail=False):
        if variables:
            (self.dir / "test.auto.tfvars.json").write_text(json.dumps(self.variables))
        done = subprocess.run(
            ["terraform", command, "-no-color", "-input=false", *arguments],
            cwd=self.dir, env=self.environment, capture_output=True, text=True, timeout=900, check=False,
        )  # fmt: skip
        if done.returncode != 0 and not may_fail:
            print(done.stdout[-3000:], done.stderr, file=sys.stderr, flush=True)
        return done

    def apply(self, what):
        return check(f"{what}: apply", self.run("apply", "-auto-approve").returncode == 0)

    def second_plan_is_empty(self, what):
        plan = self.run("plan", "-detailed-exitcode", may_fail=True)
        progress = re.compile(r".*: (Refreshing state|Reading|Read complete|Still reading).*")
        changes = "\n".join(line for line in plan.stdout.splitlines() if not progress.fullmatch(line))
        return check(f"{what}: the second plan is empty", plan.returncode == 0, changes + plan.stderr)

    def destroy(self, what):
        if not check(f"{what}: destroy", self.run("destroy", "-auto-approve").returncode == 0):
            return
        left = self.ask("state", "list")
        check(f"{what}: nothing is left in the state", left.strip() == "", left)

    def outputs(self):
        return {name: output["value"] for name, output in json.loads(self.ask("output", "-json")).items()}

    def ask(self, *arguments):
        asked = ["terraform", *arguments]
        return subprocess.run(asked, cwd=self.dir, env=self.environment, capture_output=True, text=True, check=True).stdout


def package(path):
    """A zip where `cargo lambda build` would have left one. Nobody runs it here."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("bootstrap", "#!/bin/sh\nexit 1\n")
    return path


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


def plain(work, plugin_dirs):
    with Moto(work / "moto.log") as moto:
        root = Root(work, moto, plugin_dirs)
        packages = work / "packages"
        package(packages / "probe" / "bootstrap.zip")
        root.variables = {"site": "plant-7", "functions": {"packages": str(packages)}}
        if not root.apply("plain"):
            return
        root.second_plan_is_empty("plain")
        outputs = root.outputs()
        bucket = outputs["bucket"]["name"]
        check("the bucket is named after its account", bucket == f"framepost-footage-{ACCOUNT}-{REGION}", bucket)

        # The gateway's credential, with policies enforced.
        key = outputs["gateway_access_keys"]["plant-7"]
        gateway = moto.client("s3", key["access_key_id"], key["secret_access_key"])
        chunk = "plant-7/2026-11-20/gate/15/08-23.547000Z.0.mp4"
        once = {"Bucket": bucket, "Key": chunk, "Body": b"chunk", "IfNoneMatch": "*"}
        check("a gateway puts a chunk", refused(gateway.put_object, **once) is None)
        check("a second put of it is 412", refused(gateway.put_object, **once) == 412)
        unconditional = {name: value for name, value in once.items() if name != "IfNoneMatch"}
        check("it cannot overwrite", refused(gateway.put_object, **unconditional) == 403)
        check("it cannot read", refused(gateway.get_object, Bucket=bucket, Key=chunk) == 403)
        check("it cannot look", refused(gateway.head_object, Bucket=bucket, Key=chunk) == 403)
        check("it cannot delete", refused(gateway.delete_object, Bucket=bucket, Key=chunk) == 403)
        check("it cannot list", refused(gateway.list_objects_v2, Bucket=bucket) == 403)
        elsewhere = once | {"Key": "plant-70/2026-11-20/gate/15/08-23Z.0.mp4"}
        check("it cannot put beside its site", refused(gateway.put_object, **elsewhere) == 403)
        # Nobody could read these again.
        fresh = once | {"Key": "plant-7/2026-11-20/gate/15/08-26Z.1.mp4"}
        customers = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}
        foreign = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": f"arn:aws:kms:{REGION}:210987654321:key/1"}
        check("it cannot put with a key of its own", refused(signed_over_tls(gateway), **fresh, **customers) == 403)
        check("nor with a key of another account", refused(gateway.put_object, **fresh, **foreign) == 403)
        check("nor with another encryption", refused(gateway.put_object, **fresh, ServerSideEncryption="aws:kms") == 403)
        named = fresh | {"ServerSideEncryption": "AES256"}
        check("it may name the bucket's own", refused(gateway.put_object, **named) is None)
        # The bucket refuses what an identity policy would allow by mistake.
        iam, user = moto.client("iam"), "framepost-gateway-plant-7"
        everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
        iam.put_user_policy(UserName=user, PolicyName="mistake", PolicyDocument=json.dumps(everything))
        check("whatever it was allowed, it cannot read", refused(gateway.get_object, Bucket=bucket, Key=chunk) == 403)
        check("nor delete", refused(gateway.delete_object, Bucket=bucket, Key=chunk) == 403)
        check("nor overwrite", refused(gateway.put_object, **unconditional) == 403)
        iam.delete_user_policy(UserName=user, PolicyName="mistake")
        owner = moto.client("s3")
        check("nobody overwrites", refused(owner.put_object, **(unconditional | {"Body": b"other"})) == 403)

        # The event has gone the way that was built for it.
        queue = outputs["events"]["probe"]["queue"]["url"]
        messages = moto.client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=1, MaxNumberOfMessages=10).get("Messages", [])
        keys = [json.loads(message["Body"])["detail"]["object"]["key"] for message in messages]
        check("the chunks' events are in the function's queue", sorted(keys) == sorted([chunk, named["Key"]]), str(keys))

        environment = moto.client("lambda").get_function_configuration(FunctionName="framepost-probe")["Environment"]["Variables"]
        wanted = {
            "FRAMEPOST_RECORDS": "eventbridge:framepost-records",
            "FRAMEPOST_DEAD_LETTERS": f"sqs:{outputs['events']['probe']['dead_letters']['url']}",
        }
        check("the function is told where to publish and park", wanted.items() <= environment.items(), str(environment))
        check("and of no ledger", "FRAMEPOST_LEDGER" not in environment and outputs.get("ledger") is None)

        # Footage is in the way of a destroy.
        destroyed = root.run("destroy", "-auto-approve", may_fail=True)
        check("footage is in the way of a destroy", destroyed.returncode != 0 and "BucketNotEmpty" in destroyed.stderr, destroyed.stderr)
        check("it is still there", refused(owner.get_object, Bucket=bucket, Key=chunk) is None)
        check("everything else has gone", left_over(moto) == [], str(left_over(moto)))
        root.variables["bucket"] = {"keep_footage": False}
        if root.apply("with keep_footage = false"):
            check("footage outlives that", refused(owner.get_object, Bucket=bucket, Key=chunk) is None)
            # What is gone need not be built to be destroyed.
            shutil.rmtree(packages)
            # Letting go of the bucket, as the README says, leaves it as it was.
            state = root.dir / "terraform.tfstate"
            before = state.read_text()
            root.ask("state", "rm", "module.bucket")
            root.destroy("without the bucket")
            check("everything else has gone", left_over(moto) == [], str(left_over(moto)))
            versioning = owner.get_bucket_versioning(Bucket=bucket).get("Status")
            check("the bucket let go of is still versioned", versioning == "Enabled", str(versioning))
            check("and still written once", refused(owner.put_object, **unconditional) == 403)
            # The test takes it back by the state of before.
            state.write_text(before)
            root.destroy("with keep_footage = false")
            check("nothing is left", left_over(moto) == [] and owner.list_buckets()["Buckets"] == [])


def elaborate(work, plugin_dirs):
    with Moto(work / "moto.log") as moto:
        root = Root(work, moto, plugin_dirs)
        owner = moto.client("s3")
        location = {"LocationConstraint": REGION}
        owner.create_bucket(Bucket="theirs", CreateBucketConfiguration=location)
        owner.put_object(Bucket="theirs", Key="something-else", Body=b"theirs")
        owner.create_bucket(Bucket="releases", CreateBucketConfiguration=location)
        for name in ("probe", "watch"):
            owner.upload_file(str(package(work / f"{name}.zip")), "releases", f"framepost/v1/{name}.zip")
        certificate = moto.client("iot").create_keys_and_certificate(setAsActive=True)
        encryption_key = moto.client("kms").create_key()["KeyMetadata"]["Arn"]
        shutil.copytree(HERE / "functions", work / "their-functions")
        root.variables = {
            "name": "fp-test",
            "sites": {"plant-7": {"silence_minutes": 5}},
            "bucket": {"name": "theirs", "existing": True, "keep_footage": False},
            "encryption_key": encryption_key,
            "functions": {
                "directory": str(work / "their-functions"),
                "packages": "s3://releases/framepost/v1/",
                "architecture": "x86_64",
                "tracing": "Active",
                "environment": {"FRAMEPOST_PUBLIC_KEYS": "ab" * 32},
                "overrides": {"watch": {"environment": {"WATCH_MODEL": "large", "RUST_LOG": "debug"}, "memory_mib": 512}},
            },
            "records": {"archive_days": 7, "log": True, "table": True, "expire_days": 400},
            "gateways": {"credential": "iot", "iot_certificates": {"plant-7": certificate["certificateArn"]}},
            "alarms": {"notify": ["ops@example.com", f"arn:aws:sns:{REGION}:{ACCOUNT}:ops"], "errors": 3},
            "labels": {"cost-center": "42"},
        }
        if not root.apply("elaborate"):
            return
        root.second_plan_is_empty("elaborate")
        outputs = root.outputs()

        # The way of the events: the bucket's owner switches them on, as the README says.
        owner.put_bucket_notification_configuration(Bucket="theirs", NotificationConfiguration={"EventBridgeConfiguration": {}})
        for key in ("plant-7/2026-11-20/gate/15/08-23Z.0.mp4", "plant-7/2026-11-20/gate/15/08-26Z.1.mp4_end", "elsewhere/clip.mp4"):
            owner.put_object(Bucket="theirs", Key=key, Body=b"chunk", IfNoneMatch="*")
        queues = {name: event["queue"]["url"] for name, event in outputs["events"].items()}
        sqs = moto.client("sqs")
        bodies = [json.loads(m["Body"]) for m in sqs.receive_message(QueueUrl=queues["probe"], MaxNumberOfMessages=10).get("Messages", [])]
        keys = [body["detail"]["object"]["key"] for body in bodies]
        check("only the sites' chunks raise work in a shared bucket", keys == ["plant-7/2026-11-20/gate/15/08-23Z.0.mp4"], str(keys))
        record = {"Source": "framepost.probe", "EventBusName": outputs["records"]["bus_name"], "Detail": json.dumps({"id": "1"})}
        moto.client("events").put_events(Entries=[record | {"DetailType": kind} for kind in ("io.framepost.chunk.probed.v1", "io.framepost.span.ended.v1")])
        bodies = [json.loads(m["Body"]) for m in sqs.receive_message(QueueUrl=queues["watch"], MaxNumberOfMessages=10).get("Messages", [])]
        kinds = [body["detail-type"] for body in bodies]
        check("a record of its type comes to a function, and no other", kinds == ["io.framepost.chunk.probed.v1"], str(kinds))

        lambdas = moto.client("lambda")
        watch = lambdas.get_function_configuration(FunctionName="fp-test-watch")
        check("overrides count", watch["MemorySize"] == 512 and watch["Environment"]["Variables"]["WATCH_MODEL"] == "large")
        check("work that costs has its ledger", watch["Environment"]["Variables"].get("FRAMEPOST_LEDGER") == "dynamodb:fp-test-ledger")
        probe = lambdas.get_function_configuration(FunctionName="fp-test-probe")
        check("work that is free has none", "FRAMEPOST_LEDGER" not in probe["Environment"]["Variables"])
        # What their roles may do, by AWS's rules.
        grants = {}
        for name in ("probe", "watch"):
            stored = moto.client("iam").get_role_policy(RoleName=f"fp-test-{name}", PolicyName="grants")["PolicyDocument"]
            grants[name] = lambda action, resource, stored=stored, **context: (
                policy.decide([stored], action, resource, [f"arn:aws:iam::{ACCOUNT}:role/fp-test"], context) is policy.Decision.ALLOW
            )
        chunk = "arn:aws:s3:::theirs/plant-7/2026-11-20/gate/15/08-23Z.0.mp4"
        check("a function reads the sites' footage", grants["probe"]("s3:GetObject", chunk))
        for resource in ("arn:aws:s3:::theirs/something-else", "arn:aws:s3:::theirs/plant-70/a.mp4", "arn:aws:s3:::theirs/plant-7"):
            check(f"and not {resource}", not grants["probe"]("s3:GetObject", resource))
        check("nor the names of what is there", not grants["probe"]("s3:ListBucket", "arn:aws:s3:::theirs"))
        through = {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}
        check("it decrypts through S3", grants["probe"]("kms:Decrypt", encryption_key, **through))
        check("and by no other way", not grants["probe"]("kms:Decrypt", encryption_key))
        elsewhere = {"kms:ViaService": f"dynamodb.{REGION}.amazonaws.com"}
        check("the ledger's way is for who has one", not grants["probe"]("kms:Decrypt", encryption_key, **elsewhere))
        check("which works there", grants["watch"]("kms:Decrypt", encryption_key, **elsewhere))

        # Records in a table: what is published arrives as a line of JSON that the table's columns fit.
        table = moto.client("glue").get_table(DatabaseName="fp_test_records", Name="records")["Table"]
        columns = json.loads((REPOSITORY / "events/schemas/glue/records.json").read_text())
        found = [(c["Name"], c["Type"]) for c in table["StorageDescriptor"]["Columns"]]
        check("the table has the columns of the records' types", found == [(c["name"], c["type"]) for c in columns], str(found))
        stream = moto.client("firehose").describe_delivery_stream(DeliveryStreamName="fp-test-records")["DeliveryStreamDescription"]
        written = stream["Destinations"][0]["ExtendedS3DestinationDescription"]
        schema = written["DataFormatConversionConfiguration"]["SchemaConfiguration"]
        check("Firehose converts by it", (schema["DatabaseName"], schema["TableName"]) == ("fp_test_records", "records"), str(schema))
        where = table["Parameters"]["storage.location.template"].split("day=")[0]
        check("and writes where it looks", where == f"s3://{written['BucketARN'].split(':::')[1]}/{written['Prefix'].split('day=')[0]}", where)
        athena = moto.client("athena")
        saved = [athena.get_named_query(NamedQueryId=query)["NamedQuery"] for query in outputs["records"]["queries"].values()]
        names = sorted(query["Name"] for query in saved)
        check("questions are saved", names == ["cameras", "chunks", "detections", "gaps", "gateways"], str(names))
        rule = moto.client("events").list_targets_by_rule(Rule="fp-test-records-table", EventBusName="fp-test-records")["Targets"][0]
        files = owner.list_objects_v2(Bucket=f"fp-test-records-{ACCOUNT}-{REGION}", Prefix="records/day=").get("Contents", [])
        lines = [json.loads(owner.get_object(Bucket=f"fp-test-records-{ACCOUNT}-{REGION}", Key=file["Key"])["Body"].read()) for file in files]
        check("what was published has come there", lines == 2 * [{"id": "1"}], str(lines))
        check("the bus sends the records themselves", rule["InputPath"] == "$.detail" and rule["Arn"] == stream["DeliveryStreamARN"], str(rule))

        # Once public keys are set, what nobody signed is an alarm.
        filters = moto.client("logs").describe_metric_filters(filterNamePrefix="fp-test-integrity")["metricFilters"]
        pattern = filters[0]["filterPattern"] if filters else ""
        check("what nobody signed is an alarm", '"absent"' in pattern and '"unknown"' in pattern, pattern)

        # Who may write the log of records.
        said = moto.client("logs").describe_resource_policies()["resourcePolicies"]
        document = json.loads(next(p["policyDocument"] for p in said if p["policyName"].startswith("fp-test")))
        stream = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/events/fp-test-records:log-stream:1"
        rule = {"aws:SourceArn": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/fp-test-records/fp-test-records-log"}
        other = {"aws:SourceArn": f"arn:aws:events:{REGION}:210987654321:rule/other"}
        for action, context, allowed in (
            ("logs:PutLogEvents", rule, True), ("logs:PutLogEvents", other, False), ("logs:PutLogEvents", {}, False),
            ("logs:CreateLogStream", rule, True), ("logs:CreateLogStream", other, False), ("logs:CreateLogStream", {}, True),
        ):  # fmt: skip
            decision = policy.decide([document], action, stream, ["events.amazonaws.com"], context)
            check(f"EventBridge: {action} {context} is {allowed}", (decision is policy.Decision.ALLOW) == allowed, json.dumps(document))

        tags = lambdas.list_tags(Resource=watch["FunctionArn"])["Tags"]
        check("labels are tags", tags == {"cost-center": "42", "framepost": "fp-test"}, str(tags))

        # Another package under the same name is another deployment.
        changed = work / "changed.zip"
        with zipfile.ZipFile(changed, "w") as archive:
            archive.writestr("bootstrap", "#!/bin/sh\nexit 2\n")
        owner.upload_file(str(changed), "releases", "framepost/v1/watch.zip")
        plan = root.run("plan", "-detailed-exitcode", may_fail=True)
        changes = [line for line in plan.stdout.splitlines() if line.startswith("  # module")]
        check("a new package is deployed, and nothing else", plan.returncode == 2 and len(changes) == 1 and "watch" in changes[0], str(changes))

        root.destroy("elaborate")
        # What the scenario brought along is no part of the root; a topic that was only named was never made.
        check("nothing is left", left_over(moto) == [], str(left_over(moto)))
        kept = owner.get_object(Bucket="theirs", Key="something-else")["Body"].read()
        check("the existing bucket is as it was", kept == b"theirs" and refused(owner.get_bucket_policy, Bucket="theirs") == 404)


def added(work, plugin_dirs):
    """A directory with a function.yaml, and no other change, is a function."""
    with Moto(work / "moto.log") as moto:
        root = Root(work, moto, plugin_dirs)
        packages = work / "packages"
        root.variables = {"site": "plant-7", "bucket": {"keep_footage": False}, "functions": {"packages": str(packages)}}
        package(packages / "probe" / "bootstrap.zip")
        for name in ("ask", "look", "watch"):
            shutil.copytree(REPOSITORY / "terraform/modules/any/functions/tests/good" / name, work / "functions" / name)
        subprocess.run([REPOSITORY / "tests/terraform/guide", work], check=True)
        for name in ("ask", "pace", "watch"):
            package(packages / name / "bootstrap.zip")
        if not root.apply("added"):
            return
        root.second_plan_is_empty("added")
        outputs = root.outputs()
        check("they are functions", sorted(outputs["functions"]) == ["ask", "pace", "probe", "watch"], str(outputs["functions"]))
        check("the probe has its queue as before", outputs["events"]["probe"]["queue"]["name"] == "framepost-probe")

        # One that its manifest leaves out, for who asks for it. Its image is in a registry of the account's.
        root.variables["functions"]["images"] = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/framepost/{{function}}:1.4.0"
        root.variables["functions"]["overrides"] = {"look": {"environment": {"FRAMEPOST_DETECTOR": "rekognition:"}}}
        if root.apply("asked for"):
            # moto answers with an empty image_config, where Lambda has none.
            plan = root.run("plan", "-detailed-exitcode", may_fail=True).stdout
            changed = re.findall(r"# (\S+) (?:will|must) be", plan)
            alone = changed == ['module.function["look"].aws_lambda_function.this'] and "- image_config {" in plan and " + " not in plan
            check("asked for: the second plan has nothing of ours", changed == [] or alone, plan)
            look = moto.client("lambda").get_function(FunctionName="framepost-look")
            image = look["Code"].get("ImageUri")
            check("it runs its image", image == f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/framepost/look:1.4.0", str(look["Code"]))
            role = look["Configuration"]["Role"]
            rights = moto.client("iam").get_role_policy(RoleName=role.rsplit("/", 1)[-1], PolicyName="grants")["PolicyDocument"]
            decided = policy.decide([rights], "rekognition:DetectLabels", "*", [role], {})
            check("and may have its pictures looked at", decided is policy.Decision.ALLOW)
            check("its claims have a table", root.outputs()["ledger"] == "framepost-ledger")
        del root.variables["functions"]["overrides"]

        # Requests.
        url = moto.client("lambda").get_function_url_config(FunctionName="framepost-ask")
        check("one has a URL for everybody, that streams", (url["AuthType"], url.get("InvokeMode")) == ("NONE", "RESPONSE_STREAM"), str(url))
        check("it is where the output says", outputs["functions"]["ask"]["url"] == url["FunctionUrl"].rstrip("/") + "/v1")
        check("the other ones have none", outputs["functions"]["watch"]["url"] is None and outputs["functions"]["probe"]["url"] is None)

        # Objects: put and removed ones, by prefix and by suffix.
        owner, bucket = moto.client("s3"), outputs["bucket"]["name"]
        queue = outputs["events"]["watch"]["queue"]["url"]

        def heard(queue=queue):
            messages = moto.client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=1, MaxNumberOfMessages=10).get("Messages", [])
            for message in messages:
                moto.client("sqs").delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            return sorted(json.loads(message["Body"])["detail-type"] for message in messages)

        owner.put_object(Bucket=bucket, Key="elsewhere/a.txt", Body=b"1", IfNoneMatch="*")
        check("an object without prefix and suffix is not heard of", heard() == [])
        owner.put_object(Bucket=bucket, Key="plant-7/a.txt", Body=b"1", IfNoneMatch="*")
        check("one with the prefix is", heard() == ["Object Created"])
        owner.put_object(Bucket=bucket, Key="elsewhere/a.mp4", Body=b"1", IfNoneMatch="*")
        check("so is one with the suffix", heard() == ["Object Created"])

        # Records, by type and field.
        def publish(site):
            record = {"type": "io.framepost.chunk.probed.v1", "data": {"site": site, "startsWithRandomAccess": True}}
            entry = {"EventBusName": "framepost-records", "Source": "framepost.probe", "DetailType": record["type"], "Detail": json.dumps(record)}
            moto.client("events").put_events(Entries=[entry])

        publish("dock")
        check("a record of another site is not heard of", heard() == [])
        publish("plant-7")
        check("one of the site is", heard() == ["io.framepost.chunk.probed.v1"])
        everything = heard(outputs["events"]["pace"]["queue"]["url"])
        check("the guide's function hears of every chunk", everything == 2 * ["io.framepost.chunk.probed.v1"], str(everything))
        least = moto.client("lambda").get_function_configuration(FunctionName="framepost-pace")["Environment"]["Variables"]["PACE_LEAST"]
        check("and has its default", least == "5", least)

        # What moto does not send: the rule and the schedules as they stand.
        pattern = json.loads(moto.client("events").describe_rule(Name="framepost-watch-object-removed")["EventPattern"])
        check("removed objects have a rule", pattern["detail-type"] == ["Object Deleted"], str(pattern))
        schedules = moto.client("scheduler")
        found = {s["Name"]: schedules.get_schedule(Name=s["Name"]) for s in schedules.list_schedules()["Schedules"]}
        crons = {name: s["ScheduleExpression"] for name, s in found.items()}
        check("schedules are there", crons == {"framepost-watch-sweep": "cron(0 0/2 * * ? *)", "framepost-watch-nightly": "cron(0 3 * * ? *)"}, str(crons))
        role = found["framepost-watch-sweep"]["Target"]["RoleArn"].rsplit("/", 1)[-1]
        stored = moto.client("iam").get_role_policy(RoleName=role, PolicyName="send")["PolicyDocument"]
        queue_arn = outputs["events"]["watch"]["queue"]["arn"]
        decided = policy.decide([stored], "sqs:SendMessage", queue_arn, [f"arn:aws:iam::{ACCOUNT}:role/{role}"], {})
        check("and may send to the queue", decided is policy.Decision.ALLOW)

        # Taken out again, they leave nothing behind.
        for name in ("ask", "look", "pace", "watch"):
            shutil.rmtree(work / "functions" / name)
        if root.apply("taken out"):
            names = [f["FunctionName"] for f in moto.client("lambda").list_functions()["Functions"]]
            check("only the probe is left", names == ["framepost-probe"], str(names))
        # The bucket keeps versions, and the provider waits an hour for one that does not become empty.
        for version in owner.list_object_versions(Bucket=bucket)["Versions"]:
            owner.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
        root.destroy("added")
        check("nothing is left", left_over(moto) == [], str(left_over(moto)))


def catalogue(work, plugin_dirs):
    with Moto(work / "moto.log") as moto:
        root = Root(work, moto, plugin_dirs)
        packages = work / "packages"
        for name in ("api", "catalog", "probe"):
            package(packages / name / "bootstrap.zip")
        tokens = json.dumps([{"id": "1", "sha256": "00" * 32, "reads": ["plant-7"]}])
        root.variables = {
            "site": "plant-7",
            "bucket": {"keep_footage": False, "expire_days": 365, "transitions": [{"days": 30, "class": "STANDARD_IA"}]},
            "functions": {"packages": str(packages), "overrides": {"probe": {"environment": {"FRAMEPOST_PUBLIC_KEYS": "6f" * 32}}}},
            "catalogue": {"enabled": True, "tokens": tokens},
        }
        if not root.apply("catalogue"):
            return
        root.second_plan_is_empty("catalogue")
        outputs = root.outputs()
        check("the functions are there", sorted(outputs["functions"]) == ["api", "catalog", "probe"], str(outputs["functions"]))
        check("the output says where to ask", outputs["catalogue"]["url"] == outputs["functions"]["api"]["url"] != "", str(outputs["catalogue"]))

        cluster = moto.client("rds").describe_db_clusters()["DBClusters"][0]
        check("the database is kept", cluster["DeletionProtection"] and cluster["BackupRetentionPeriod"] == 7, str(cluster))
        check("and encrypted", cluster["StorageEncrypted"])
        check("IAM logs in to it", cluster["IAMDatabaseAuthenticationEnabled"])

        lambdas, ec2 = moto.client("lambda"), moto.client("ec2")
        found = {name: lambdas.get_function_configuration(FunctionName=f"framepost-{name}") for name in ("api", "catalog", "probe")}
        environment = {name: function["Environment"]["Variables"] for name, function in found.items()}
        url = environment["catalog"]["FRAMEPOST_CATALOG"]
        check("they log in without a password", re.fullmatch(r"postgres://framepost@[^:/?]+:5432/framepost\?sslmode=require&login=aws", url), url)
        check("both in the same one", environment["api"]["FRAMEPOST_CATALOG"] == url and "FRAMEPOST_CATALOG" not in environment["probe"])
        check("the api knows who may ask", json.loads(environment["api"]["FRAMEPOST_API_TOKENS"]) == json.loads(tokens))
        check("and has a key of its own", re.fullmatch("[0-9a-f]{64}", environment["api"]["FRAMEPOST_API_KEY"]) and "FRAMEPOST_API_KEY" not in environment["catalog"])

        # The network: in, out and through.
        subnets = {subnet["SubnetId"]: subnet for subnet in ec2.describe_subnets()["Subnets"] if not subnet["DefaultForAz"]}
        check("they are in its subnets", set(found["api"]["VpcConfig"]["SubnetIds"]) == set(subnets) == set(found["catalog"]["VpcConfig"]["SubnetIds"]))
        check("and the probe is not", not found["probe"].get("VpcConfig", {}).get("SubnetIds"))
        network = next(iter(subnets.values()))["VpcId"]
        within = [{"Name": "vpc-id", "Values": [network]}]
        tables = ec2.describe_route_tables(Filters=within)["RouteTables"]
        ways = {route.get("GatewayId", "local") for table in tables for route in table["Routes"]}
        check("no route leads out", not any(way.startswith(("igw", "nat")) for way in ways) and not ec2.describe_nat_gateways()["NatGateways"], str(ways))
        groups = {g["GroupId"]: g for g in ec2.describe_security_groups(Filters=within)["SecurityGroups"]}
        reached = [p for g in groups.values() for p in g["IpPermissions"] if p.get("IpRanges") or p.get("Ipv6Ranges")]
        check("nothing is reached by an address", reached == [], str(reached))
        left = [p for g in groups.values() for p in g["IpPermissionsEgress"] if any(r["CidrIp"] == "0.0.0.0/0" for r in p.get("IpRanges", []))]
        check("and nothing reaches every address", left == [], str(left))

        # What their roles may do.
        def may(name, action, resource, context=None):
            stored = moto.client("iam").get_role_policy(RoleName=f"framepost-{name}", PolicyName="grants")["PolicyDocument"]
            who = [f"arn:aws:iam::{ACCOUNT}:role/framepost-{name}"]
            return policy.decide([stored], action, resource, who, context or {}) is policy.Decision.ALLOW

        user = f"arn:aws:rds-db:{REGION}:{ACCOUNT}:dbuser:{cluster['DbClusterResourceId']}"
        check("both log in as the functions' user", all(may(name, "rds-db:connect", f"{user}/framepost") for name in ("api", "catalog")))
        check("and as nobody else", not any(may(name, "rds-db:connect", f"{user}/administrator") for name in ("api", "catalog")))
        check("the probe does not", not may("probe", "rds-db:connect", f"{user}/framepost"))
        chunk = f"arn:aws:s3:::{outputs['bucket']['name']}/plant-7/2026-11-20/gate/15/08-23Z.0.mp4"
        check("the api reads footage", may("api", "s3:GetObject", chunk))
        check("and neither writes nor deletes any", not may("api", "s3:PutObject", chunk) and not may("api", "s3:DeleteObject", chunk))
        bucket = f"arn:aws:s3:::{outputs['bucket']['name']}"
        export = f"{bucket}/exports/00ff/001-plant-7-gate.mp4"
        both = {"s3:PutObject", "s3:GetObject", "s3:DeleteObject"}
        check("the api keeps exports", {action for action in both if may("api", action, export)} == both)
        check("and nobody else does", not any(may(name, action, export) for name in ("catalog", "probe") for action in both - {"s3:GetObject"}))
        beside = [f"{bucket}/{key}" for key in ("exports", "exportsx/a", "plant-7/exports/a", "a", "")]
        check("nothing beside them", not any(may("api", action, key) for action in ("s3:PutObject", "s3:DeleteObject") for key in beside))
        more = ("s3:DeleteObjectVersion", "s3:PutObjectAcl", "s3:PutLifecycleConfiguration", "s3:DeleteBucket", "s3:PutBucketPolicy")
        check("and in no other way", not any(may("api", action, key) for action in more for key in (export, bucket, chunk)))
        prefixes = ["exports/", "exports/requests/", "exports/00ff/", "", "plant-7/", "export", "exportsx/"]
        seen = [prefix for prefix in prefixes if may("api", "s3:ListBucketVersions", bucket, {"s3:prefix": prefix})]
        check("it lists exports alone with their versions", seen == prefixes[:3], str(seen))
        check("the catalog lists the bucket", may("catalog", "s3:ListBucketVersions", bucket))
        check("and reads nothing in it", not any(may("catalog", "s3:GetObject", key) for key in (chunk, export)))
        endpoints = ec2.describe_vpc_endpoints()["VpcEndpoints"]
        through = json.loads(next(e["PolicyDocument"] for e in endpoints if e["ServiceName"].endswith(".s3")))
        through = {action for statement in through["Statement"] for action in statement["Action"]}
        check("all of it goes through the endpoint", through >= both | {"s3:ListBucketVersions"}, str(through))
        place = f"s3://{outputs['bucket']['name']}"
        check("the api knows where exports go", environment["api"]["FRAMEPOST_API_EXPORTS"] == place, str(environment["api"]))
        check("and whose signatures count", environment["api"]["FRAMEPOST_PUBLIC_KEYS"] == "6f" * 32)
        check("the catalog knows what to compare with", environment["catalog"]["FRAMEPOST_CATALOG_BUCKET"] == place)
        rules = moto.client("s3").get_bucket_lifecycle_configuration(Bucket=outputs["bucket"]["name"])["Rules"]
        ending = {rule["Filter"].get("Prefix") for rule in rules if rule.get("Transitions") or "Days" in rule.get("Expiration", {})}
        check("no rule moves or ends exports", ending == {"plant-7/", "plant-7/reports/"}, str(rules))
        check("nor does the catalog", not may("catalog", "s3:PutObject", chunk) and not may("catalog", "s3:DeleteObject", chunk))

        # The functions' user is made by a statement, from outside of the network.
        schedule = moto.client("scheduler").get_schedule(Name="framepost-catalogue-login")
        asked = json.loads(schedule["Target"]["Input"])
        check("a statement makes their user", asked["ResourceArn"] == cluster["DBClusterArn"] and "GRANT rds_iam TO framepost" in asked["Sql"], str(asked))
        role = schedule["Target"]["RoleArn"].rsplit("/", 1)[-1]
        stored = moto.client("iam").get_role_policy(RoleName=role, PolicyName="execute")["PolicyDocument"]
        for action, resource, allowed in (
            ("rds-data:ExecuteStatement", cluster["DBClusterArn"], True), ("secretsmanager:GetSecretValue", asked["SecretArn"], True),
            ("secretsmanager:GetSecretValue", asked["SecretArn"] + "-other", False), ("rds-data:BatchExecuteStatement", cluster["DBClusterArn"], False),
        ):  # fmt: skip
            decided = policy.decide([stored], action, resource, [schedule["Target"]["RoleArn"]], {})
            check(f"its role: {action} {allowed}", (decided is policy.Decision.ALLOW) == allowed)

        # It is in the way of a destroy.
        destroyed = root.run("destroy", "-auto-approve", may_fail=True)
        check("a catalogue is in the way of a destroy", destroyed.returncode != 0 and "deletion" in destroyed.stderr.lower(), destroyed.stderr)
        root.variables["catalogue"]["keep"] = False
        if root.apply("with keep = false"):
            root.destroy("catalogue")
            check("nothing is left", left_over(moto) == [], str(left_over(moto)))

        # A database that is there already.
        theirs = "postgres://framepost:secret@db.theirs.example/framepost?sslmode=verify-full"
        moto.client("secretsmanager").create_secret(Name="theirs", SecretString=theirs)
        subnet = ec2.describe_subnets()["Subnets"][0]
        group = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [subnet["VpcId"]]}])["SecurityGroups"][0]["GroupId"]
        existing = {"url_secret": "theirs", "subnets": [subnet["SubnetId"]], "security_groups": [group]}
        root.variables["catalogue"] = {"enabled": True, "existing": existing}
        if root.apply("an existing database"):
            root.second_plan_is_empty("an existing database")
            api = lambdas.get_function_configuration(FunctionName="framepost-api")
            check("it is connected to", api["Environment"]["Variables"]["FRAMEPOST_CATALOG"] == theirs)
            check("from where its owner says", api["VpcConfig"]["SubnetIds"] == existing["subnets"] and api["VpcConfig"]["SecurityGroupIds"] == [group])
            check("the secret is in no output", "secret@" not in json.dumps(root.outputs()))
            root.destroy("an existing database")
            check("nothing is left", left_over(moto) == [], str(left_over(moto)))


SCENARIOS = {"plain": plain, "elaborate": elaborate, "added": added, "catalogue": catalogue}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plugin-dir", action="append", default=[], help="where the AWS provider is, as for terraform init")
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO")
    arguments = parser.parse_args()
    for name in arguments.scenarios or SCENARIOS:
        with tempfile.TemporaryDirectory(prefix="framepost-terraform-") as work:
            print(f"-- {name}", flush=True)
            SCENARIOS[name](Path(work), arguments.plugin_dir)
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


sys.exit(main())
