"""As a person applies it, and what is left when footage is in the bucket."""

import json
import shutil

from account import ACCOUNT, REGION, Moto, left_over, refused, signed_over_tls
from checks import check
from root import Root, package


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
