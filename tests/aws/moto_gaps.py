"""What Terraform writes, reads back, and moto forgets. Importing this makes moto remember it."""

import json
import re
import uuid

from moto.athena.responses import AthenaResponse
from moto.awslambda.models import LambdaFunction
from moto.ec2.models.security_groups import SecurityGroupRule
from moto.events.models import Rule
from moto.firehose.models import firehose_backends
from moto.iot.models import FakeEndpoint, IoTBackend
from moto.iot.responses import IoTResponse
from moto.logs.responses import LogsResponse
from moto.rds.models import DBCluster
from moto.s3.responses import S3Response
from moto.sqs.models import Queue

# ---- Lambda: where and how a function logs

configuration = LambdaFunction.get_configuration
created = LambdaFunction.__init__
updated = LambdaFunction.update_configuration


def create(self, account_id, spec, *arguments, **named):
    created(self, account_id, spec, *arguments, **named)
    self.logging_config = spec.get("LoggingConfig")


def update(self, config_updates):
    self.logging_config = config_updates.get("LoggingConfig", self.logging_config)
    return updated(self, config_updates)


def with_logging(self, *arguments, **named):
    answer = configuration(self, *arguments, **named)
    if self.logging_config:
        answer["LoggingConfig"] = self.logging_config
    return answer


LambdaFunction.__init__ = create
LambdaFunction.update_configuration = update
LambdaFunction.get_configuration = with_logging

# ---- SQS: who may use a dead-letter queue, and policies as they were written

of_queue = Queue.attributes.fget
set_attributes = Queue._set_attributes


def with_redrive_policies(self):
    answer = of_queue(self)
    if answer.get("RedrivePolicy"):
        answer["RedrivePolicy"] = json.dumps(json.loads(answer["RedrivePolicy"]), separators=(",", ":"))
    if getattr(self, "redrive_allow_policy", None):
        answer["RedriveAllowPolicy"] = self.redrive_allow_policy
    return answer


def keep_policy(self, attributes, now=None):
    """moto drops the policy whenever another attribute is set."""
    kept = getattr(self, "policy", None)
    set_attributes(self, attributes, now)
    if "Policy" not in attributes:
        self.policy = kept


Queue.attributes = property(with_redrive_policies)
Queue._set_attributes = keep_policy

# ---- S3: that a bucket's events go to EventBridge

notification = S3Response.get_bucket_notification


def with_event_bridge(self):
    answer = notification(self)
    configured = self.backend.get_bucket_notification_configuration(self.bucket_name)
    if configured is None or configured.event_bridge is None:
        return answer
    status, headers, body = answer
    empty = re.sub(r"<NotificationConfiguration([^>]*?)/>", r"<NotificationConfiguration\1></NotificationConfiguration>", body)
    return status, headers, empty.replace("</NotificationConfiguration>", "<EventBridgeConfiguration/></NotificationConfiguration>")


S3Response.get_bucket_notification = with_event_bridge

# ---- CloudWatch Logs: saved queries, which moto does not have

definitions: dict[str, dict] = {}


def put_query_definition(self):
    known = self._get_param("queryDefinitionId") or str(uuid.uuid4())
    wanted = ("name", "queryString", "logGroupNames", "queryLanguage")
    definitions[known] = {"queryDefinitionId": known} | {name: self._get_param(name) for name in wanted if self._get_param(name)}
    return json.dumps({"queryDefinitionId": known})


def describe_query_definitions(self):
    prefix = self._get_param("queryDefinitionNamePrefix") or ""
    return json.dumps({"queryDefinitions": [one for one in definitions.values() if one["name"].startswith(prefix)]})


def delete_query_definition(self):
    return json.dumps({"success": definitions.pop(self._get_param("queryDefinitionId"), None) is not None})


LogsResponse.put_query_definition = put_query_definition
LogsResponse.describe_query_definitions = describe_query_definitions
LogsResponse.delete_query_definition = delete_query_definition

# ---- Athena: taking a saved query away


def delete_named_query(self):
    self.athena_backend.named_queries.pop(self._get_param("NamedQueryId"), None)
    return "{}"


AthenaResponse.delete_named_query = delete_named_query

# ---- IoT: tags, which moto does not have

tags_of: dict[str, list] = {}


def with_tags(created, arn_name):
    def create(self):
        answer = created(self)
        tags_of[answer.result[arn_name]] = self._get_param("tags") or []
        return answer

    return create


def list_tags_for_resource(self):
    return json.dumps({"tags": tags_of.get(self._get_param("resourceArn"), [])})


IoTResponse.create_policy = with_tags(IoTResponse.create_policy, "policyArn")
IoTResponse.create_role_alias = with_tags(IoTResponse.create_role_alias, "roleAliasArn")
IoTResponse.list_tags_for_resource = list_tags_for_resource

# ---- IoT: an account's endpoints, which are the same whenever one asks

endpoints: dict[str, FakeEndpoint] = {}


def describe_endpoint(self, endpoint_type):
    return endpoints.setdefault(endpoint_type, asked(self, endpoint_type))


asked = IoTBackend.describe_endpoint
IoTBackend.describe_endpoint = describe_endpoint

# ---- RDS: the Data API and the scaling of Aurora Serverless v2; moto knows those of the first version


def has_data_api(self):
    return self._enable_http_endpoint


def set_data_api(self, value):
    self._enable_http_endpoint = bool(value)


of_first_version = DBCluster.scaling_configuration_info.fget


def scaling(self):
    """Serverless v2 has none of the first version's, where moto answers with an empty one."""
    return of_first_version(self) if self.scaling_configuration else None


DBCluster.enable_http_endpoint = property(has_data_api, set_data_api)
DBCluster.scaling_configuration_info = property(scaling)

# ---- EC2: what a rule is for that names a group or a list of prefixes

ruled = SecurityGroupRule.__init__


def rule(self, *arguments, **named):
    ruled(self, *arguments, **named)
    self.of_prefixes = named.get("prefix_list_id") or (arguments[7] if len(arguments) > 7 else None) or {}


def what_for(self):
    places = (self.ip_range, self.source_group, self.of_prefixes)
    return next((place["Description"] for place in places if place and place.get("Description")), None)


SecurityGroupRule.__init__ = rule
SecurityGroupRule.description = property(what_for)

# ---- EventBridge: Firehose as a target, which gets the part of the event that the target's path names

sent = Rule.send_to_targets


def send_to_streams_too(self, original_event, *arguments, **named):
    targets = self.targets
    streams = [target for target in targets if ":firehose:" in target["Arn"]]
    if streams and self.event_pattern.matches_event(original_event):
        for target in streams:
            part = original_event
            for name in filter(None, target.get("InputPath", "$").removeprefix("$").split(".")):
                part = part[name]
            stream = target["Arn"].rsplit("/", 1)[-1]
            firehose_backends[self.account_id][self.region_name].put_record(stream, {"Data": json.dumps(part).encode()})
    self.targets = [target for target in targets if target not in streams]
    try:
        sent(self, original_event, *arguments, **named)
    finally:
        self.targets = targets


Rule.send_to_targets = send_to_streams_too
