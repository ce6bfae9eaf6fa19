"""Every choice at once."""

import json
import shutil
import zipfile

from account import ACCOUNT, REGION, Moto, left_over, policy, refused
from checks import check
from root import HERE, REPOSITORY, Root, package


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
