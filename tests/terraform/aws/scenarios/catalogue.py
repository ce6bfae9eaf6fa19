"""The catalogue: its database, its network, the functions that fill it and answer from it."""

import json
import re

from account import ACCOUNT, REGION, Moto, left_over, policy
from checks import check
from root import Root, package


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
            "catalogue": {"enabled": True, "tokens": tokens, "media_from_bucket": True},
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
        check("they log in without a password", re.fullmatch(r"postgres://framepost@[^:/?]+:5432/framepost\?sslmode=require&login=aws&reader=public", url), url)
        reads = url.replace("framepost@", "framepost_reader@").replace("reader=public", "tables=awaited")
        check("both in the same one, the api as a reader", environment["api"]["FRAMEPOST_CATALOG"] == reads and "FRAMEPOST_CATALOG" not in environment["probe"])
        check("the api knows who may ask", json.loads(environment["api"]["FRAMEPOST_API_TOKENS"]) == json.loads(tokens))
        check("and has a key of its own", re.fullmatch("[0-9a-f]{64}", environment["api"]["FRAMEPOST_API_KEY"]) and "FRAMEPOST_API_KEY" not in environment["catalog"])

        bucket = outputs["bucket"]["name"]
        origin = f"https://{bucket}.s3.{REGION}.amazonaws.com"
        check("the api sends callers to the bucket", environment["api"]["FRAMEPOST_API_MEDIA_ORIGINS"] == origin, str(environment["api"]))
        rules = moto.client("s3").get_bucket_cors(Bucket=bucket)["CORSRules"]
        check("and pages may only read there", [rule["AllowedMethods"] for rule in rules] == [["GET"]], str(rules))

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
        check("the catalog logs in as the writer", may("catalog", "rds-db:connect", f"{user}/framepost") and not may("catalog", "rds-db:connect", f"{user}/framepost_reader"))
        check("the api logs in as the reader", may("api", "rds-db:connect", f"{user}/framepost_reader") and not may("api", "rds-db:connect", f"{user}/framepost"))
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
