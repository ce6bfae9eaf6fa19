"""Functions are added as directories with a function.yaml, and taken out again."""

import json
import re
import shutil
import subprocess

from account import ACCOUNT, REGION, Moto, left_over, policy
from checks import check
from root import REPOSITORY, Root, package


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

        # Those that their manifests leave out, for who asks for them: their images are in a registry of the account's.
        root.variables["functions"]["images"] = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/framepost/{{function}}:1.4.0"
        asked = {"environment": {"FRAMEPOST_DETECTOR": "rekognition:"}}
        root.variables["functions"]["overrides"] = {"look": asked, "infer": asked}
        if root.apply("asked for"):
            # moto answers with an empty image_config, where Lambda has none.
            plan = root.run("plan", "-detailed-exitcode", may_fail=True).stdout
            changed = re.findall(r"# (\S+) (?:will|must) be", plan)
            both = [f'module.function["{name}"].aws_lambda_function.this' for name in ("infer", "look")]
            alone = changed == both and "- image_config {" in plan and " + " not in plan
            check("asked for: the second plan has nothing of ours", changed == [] or alone, plan)
            for name in ("infer", "look"):
                function = moto.client("lambda").get_function(FunctionName=f"framepost-{name}")
                image = function["Code"].get("ImageUri")
                check(f"{name} runs its image", image == f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/framepost/{name}:1.4.0", str(function["Code"]))
                configuration = function["Configuration"]
                check("on arm64", (configuration["PackageType"], configuration["Architectures"]) == ("Image", ["arm64"]), str(configuration))
                role = configuration["Role"]
                rights = moto.client("iam").get_role_policy(RoleName=role.rsplit("/", 1)[-1], PolicyName="grants")["PolicyDocument"]
                decided = policy.decide([rights], "rekognition:DetectLabels", "*", [role], {})
                check("and may have its pictures looked at", decided is policy.Decision.ALLOW)
            infer = moto.client("lambda").get_function_configuration(FunctionName="framepost-infer")
            check("infer has its memory and its detector", (infer["MemorySize"], infer["Environment"]["Variables"]["FRAMEPOST_DETECTOR"]) == (1536, "rekognition:"), str(infer))
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
