#!/usr/bin/env python3
"""AWS on loopback for the end-to-end tests: moto's server, with what moto leaves out that these tests are about.

Prints one JSON line, {"port": N}, when it is ready, and ends when its standard input ends, so that it never outlives the test
that started it. Every request that a policy refused is one JSON line on standard error.

What differs from moto's own server, and why:

* Policies are enforced for every credential that this account has issued (an IAM user's access key, an assumed role's), and for
  no other, so that Terraform can build everything as an administrator. `policy.py` decides, not moto.
* A bucket's policy is decided by the same rules. The loopback connection counts as TLS.
* EventBridge's deliveries to a queue are decided by the queue's policy.
* moto starts containers for messages of a queue that a function is mapped to. Here nobody does: the harness plays Lambda.
* An object's event is sent once the object has its metadata, and not a moment before; its sequencer goes up, its reason is
  AWS's word, and it goes to the default bus alone.
* Messages that come into a queue while others leave it are not lost.
* The event of an object that is gone says which removal it was.
* `GET /framepost/code/FUNCTION` gives a function's zip; `POST /framepost/advance?seconds=N` lets queues' time pass; `POST
  /framepost/expire?bucket=B&key=K` removes an object as a rule of the bucket's lifecycle does.
"""

import itertools
import json
import logging
import re
import sys
import threading
import urllib.parse
from pathlib import Path

import flask
from moto.awslambda import models as lambda_models
from moto.core.authorization import ActionAuthenticatorMixin
from moto.events import models as events_models
from moto.iam.access_control import IAMPolicy, IAMRequestBase, PermissionResult, create_access_key
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.s3 import models as s3_models
from moto.s3 import notifications
from moto.sqs import models as sqs_models
from werkzeug.serving import make_server

sys.path.insert(0, str(Path(__file__).parent))
import moto_gaps  # noqa: E402, F401
import policy  # noqa: E402

ACCOUNT = "123456789012"
ISSUED = ("AKIA", "ASIA")


def refused(**what):
    print(json.dumps({"refused": what}), file=sys.stderr, flush=True)


# --- Who may do what -------------------------------------------------------------------------------------------------


def credential():
    found = re.search(r"Credential=([^/,]+)/", flask.request.headers.get("Authorization", ""))
    return found.group(1) if found else ""


def principal():
    """Of whoever asks: the user's ARN, the assumed role's."""
    if not credential().startswith(ISSUED):
        return f"arn:aws:iam::{ACCOUNT}:user/administrator"
    key = create_access_key(ACCOUNT, "aws", credential(), flask.request.headers)
    role = getattr(key, "_owner_role_name", None)
    return f"arn:aws:iam::{ACCOUNT}:role/{role}" if role else key.arn


def request_context(service):
    context = {"aws:SecureTransport": "true", "aws:PrincipalIsAWSService": "false", "aws:PrincipalArn": principal()}
    if service == "s3":
        headers = flask.request.headers
        # AWS: "s3:if-none-match" is there if the request has the header.
        for key, header in (
            ("s3:if-none-match", "If-None-Match"),
            ("s3:x-amz-acl", "x-amz-acl"),
            ("s3:x-amz-server-side-encryption", "x-amz-server-side-encryption"),
            ("s3:x-amz-server-side-encryption-aws-kms-key-id", "x-amz-server-side-encryption-aws-kms-key-id"),
            (
                "s3:x-amz-server-side-encryption-customer-algorithm",
                "x-amz-server-side-encryption-customer-algorithm",
            ),
            ("s3:x-amz-storage-class", "x-amz-storage-class"),
        ):
            if header in headers:
                context[key] = headers[header]
        query = flask.request.args
        # "false for CreateMultipartUpload, UploadPart and UploadPartCopy", which create no object.
        context["s3:ObjectCreationOperation"] = str("uploads" not in query and "partNumber" not in query).lower()
        for key in ("prefix", "delimiter"):
            if key in query:
                context[f"s3:{key}"] = query[key]
    return context


def called_resource(service, region, body):
    """The ARN that a call of a JSON service is about; moto says "*"."""
    try:
        call = json.loads(body)
    except ValueError:
        return "*"
    prefix = f"arn:aws:{service}:{region}:{ACCOUNT}:"
    if service == "sqs" and "QueueUrl" in call:
        return prefix + call["QueueUrl"].rstrip("/").rsplit("/", 1)[1]
    if service == "events" and call.get("Entries"):
        buses = {entry.get("EventBusName", "default") for entry in call["Entries"]}
        (bus,) = buses
        return bus if bus.startswith("arn:") else f"{prefix}event-bus/{bus}"
    if service == "dynamodb" and "TableName" in call:
        table = call["TableName"]
        return table if table.startswith("arn:") else f"{prefix}table/{table}"
    if service == "logs" and "logGroupName" in call:
        stream = call.get("logStreamName", "*")
        return f"{prefix}log-group:{call['logGroupName']}:log-stream:{stream}"
    return "*"


def exists(bucket, key):
    version = flask.request.args.get("versionId")
    return s3_models.s3_backends[ACCOUNT]["aws"].get_object(bucket, key, version_id=version) is not None


def document_of(stored):
    return IAMPolicy(stored)._policy_json


def check_action_permitted(self, resource):
    service, action = self._action.split(":", 1)
    if self._action == "sts:GetCallerIdentity":
        return
    # The names of the API and of the permission differ in places.
    action = {
        ("sqs", "SendMessageBatch"): "SendMessage",
        ("sqs", "DeleteMessageBatch"): "DeleteMessage",
        ("sqs", "ChangeMessageVisibilityBatch"): "ChangeMessageVisibility",
        ("s3", "HeadBucket"): "ListBucket",
    }.get((service, action), action)
    if resource == "*":
        resource = called_resource(service, self._region, self._body)
    arn = self._access_key.arn
    context = request_context(service)
    documents = [document_of(stored) for stored in self._access_key.collect_policies()]
    decision = policy.decide(documents, f"{service}:{action}", resource, [arn], context)
    if service == "s3" and action.startswith("GetObject") and decision is policy.Decision.ALLOW:
        bucket, key = resource.removeprefix("arn:aws:s3:::").split("/", 1)
        if not exists(bucket, key):
            # Who may not list a bucket is not told what it does not have.
            decision = policy.decide(documents, "s3:ListBucket", f"arn:aws:s3:::{bucket}", [arn], context)
    source = flask.request.headers.get("x-amz-copy-source") if service == "s3" else None
    if source and decision is policy.Decision.ALLOW:
        # A copy is a read as well.
        source = urllib.parse.unquote(source).lstrip("/").split("?")[0]
        decision = policy.decide(documents, "s3:GetObject", f"arn:aws:s3:::{source}", [arn], context)
    if decision is not policy.Decision.ALLOW:
        refused(principal=arn, action=f"{service}:{action}", resource=resource, by=f"identity policy: {decision.value}")
        self._raise_access_denied()


IAMRequestBase.check_action_permitted = check_action_permitted


def authorize(self, iam_request_cls, resource="*"):
    if not credential().startswith(ISSUED):
        return
    parsed = urllib.parse.urlparse(self.uri)
    path = self.raw_path + (f"?{parsed.query}" if parsed.query else "")
    request = iam_request_cls(
        account_id=self.current_account,
        method=self.method,
        path=path,
        data=self.data,
        body=self.raw_body,
        headers=self.headers,
        action=self._get_action(),
    )
    request.check_signature()
    request.check_action_permitted(resource)


ActionAuthenticatorMixin._authenticate_and_authorize_action = authorize


def bucket_permission(self, action, resource):
    if self.policy is None:
        return PermissionResult.NEUTRAL
    # A HEAD is a read, as far as permissions go.
    action = {"s3:HeadObject": "s3:GetObject", "s3:PostObject": "s3:PutObject"}.get(action, action)
    decision = policy.decide([json.loads(self.policy)], action, resource, [principal()], request_context("s3"))
    if decision is policy.Decision.DENY:
        refused(action=action, resource=resource, by="bucket policy")
        return PermissionResult.DENIED
    return PermissionResult.PERMITTED if decision is policy.Decision.ALLOW else PermissionResult.NEUTRAL


s3_models.FakeBucket.get_permission = bucket_permission

# --- Events ----------------------------------------------------------------------------------------------------------

created = lambda_models.LambdaBackend.create_event_source_mapping


def create_event_source_mapping(self, spec):
    mapping = created(self, spec)
    for queue in sqs_models.sqs_backends[self.account_id][self.region_name].queues.values():
        queue.lambda_event_source_mappings.pop(mapping.function_arn, None)
    return mapping


lambda_models.LambdaBackend.create_event_source_mapping = create_event_source_mapping

send_event = notifications.send_event
send_to_targets = events_models.Rule.send_to_targets
of_this_thread = threading.local()
# "A hexadecimal value that determines the order of events for a particular object key."
sequence = itertools.count(0x0055AED6DCD90281)
REASONS = {
    "Put": "PutObject",
    "Post": "POST Object",
    "Copy": "CopyObject",
    "CompleteMultipartUpload": "CompleteMultipartUpload",
    "Delete": "DeleteObject",
}


def send_event_later(account_id, event_name, bucket, key):
    of_this_thread.events = [*getattr(of_this_thread, "events", []), (account_id, event_name, bucket, key)]


def send_events_of_this_request(reason=None):
    events, of_this_thread.events = getattr(of_this_thread, "events", []), []
    for account_id, event_name, bucket, key in events:
        of_this_thread.reason = reason or REASONS.get(event_name.rsplit(":", 1)[1], "PutObject")
        of_this_thread.sequencer = f"{next(sequence):018X}"
        send_event(account_id, event_name, bucket, key)


def send_to_targets_as_s3_does(self, original_event, transform_input=True):
    if original_event["source"] == "aws.s3":
        if self.event_bus_name != "default":
            return
        detail = original_event["detail"]
        detail["reason"] = of_this_thread.reason
        detail["object"]["sequencer"] = of_this_thread.sequencer
        if original_event["detail-type"] == "Object Deleted":
            # moto tells of versions that are gone, and not of the markers that hide them.
            detail["deletion-type"] = "Permanently Deleted"
            detail["object"].pop("size", None)
        if detail["object"].get("version-id") in (None, "null"):
            detail["object"].pop("version-id", None)
    send_to_targets(self, original_event, transform_input)


send_to_queue = events_models.Rule._send_to_sqs_queue


def send_to_queue_if_it_lets_us(self, resource_id, event, group_id=None):
    queue = sqs_models.sqs_backends[self.account_id][self.region_name].get_queue(resource_id)
    documents = [json.loads(queue.policy)] if getattr(queue, "policy", None) else []
    context = {"aws:SourceArn": self.arn, "aws:SourceAccount": ACCOUNT, "aws:SecureTransport": "true"}
    decision = policy.decide(documents, "sqs:SendMessage", queue.queue_arn, ["events.amazonaws.com"], context)
    if decision is not policy.Decision.ALLOW:
        refused(principal=self.arn, action="sqs:SendMessage", resource=queue.queue_arn, by="queue policy")
        return
    send_to_queue(self, resource_id, event, group_id)


notifications.send_event = send_event_later
events_models.Rule.send_to_targets = send_to_targets_as_s3_does
events_models.Rule._send_to_sqs_queue = send_to_queue_if_it_lets_us

# --- Queues ----------------------------------------------------------------------------------------------------------

queues_change = threading.RLock()
advanced_ms = 0
now_ms = sqs_models.unix_time_millis


def one_at_a_time(method):
    def alone(*arguments, **named):
        with queues_change:
            return method(*arguments, **named)

    return alone


sqs_models.unix_time_millis = lambda *arguments: now_ms(*arguments) + advanced_ms
sqs_models.Queue.add_message = one_at_a_time(sqs_models.Queue.add_message)
sqs_models.Queue.delete_message = one_at_a_time(sqs_models.Queue.delete_message)

# --- The server ------------------------------------------------------------------------------------------------------

moto = DomainDispatcherApplication(create_backend_app)


def expire(bucket, key):
    backend = s3_models.s3_backends[ACCOUNT]["aws"]
    for version in [stored.version_id for stored in backend.get_bucket(bucket).keys.getlist(key)]:
        backend.delete_object(bucket, key, version_id=version)
    send_events_of_this_request("Lifecycle Expiration")


def own(path, query):
    global advanced_ms
    if path.startswith("/framepost/code/"):
        name = path.removeprefix("/framepost/code/")
        for backend in lambda_models.lambda_backends[ACCOUNT].values():
            if any(function.function_name == name for function in backend.list_functions()):
                return backend.get_function(name).code_bytes
        return None
    if path == "/framepost/expire":
        (bucket,), (key,) = map(urllib.parse.parse_qs(query).get, ("bucket", "key"))
        expire(bucket, key)
        return b""
    if path == "/framepost/advance":
        advanced_ms += 1000 * int(urllib.parse.parse_qs(query)["seconds"][0])
        return b""
    return None


def application(environ, start_response):
    path = environ.get("PATH_INFO", "")
    if path.startswith("/framepost/"):
        answer = own(path, environ.get("QUERY_STRING", ""))
        status = "200 OK" if answer is not None else "404 Not Found"
        start_response(status, [("Content-Length", str(len(answer or b"")))])
        return [answer or b""]
    answer = moto(environ, start_response)
    send_events_of_this_request()
    return answer


def main():
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=MotoRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps({"port": server.server_port}), flush=True)
    sys.stdin.read()


main()
