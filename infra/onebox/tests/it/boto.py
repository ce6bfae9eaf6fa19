"""Lists, pages, reads, presigns, puts and deletes with boto3, as its users do. Arguments: endpoint, access key, secret."""

import base64
import hashlib
import sys
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

endpoint, key, secret = sys.argv[1:]
s3 = boto3.client(
    "s3",
    endpoint_url=endpoint,
    region_name="us-east-1",
    aws_access_key_id=key,
    aws_secret_access_key=secret,
    config=Config(s3={"addressing_style": "path"}, signature_version="s3v4"),
)


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
    else:
        raise AssertionError(f"{code} was expected")


# What there is.
listed = s3.list_buckets()
assert [bucket["Name"] for bucket in listed["Buckets"]] == ["footage"], listed
assert all(bucket["CreationDate"] for bucket in listed["Buckets"]), listed
assert listed["Owner"]["ID"] == "framepost"
assert s3.list_buckets(Prefix="foo")["Buckets"] and not s3.list_buckets(Prefix="x")["Buckets"]
pages = list(s3.get_paginator("list_buckets").paginate(PaginationConfig={"PageSize": 1}))
assert [bucket["Name"] for page in pages for bucket in page["Buckets"]] == ["footage"], pages
s3.head_bucket(Bucket="footage")
assert s3.get_bucket_location(Bucket="footage")["LocationConstraint"] is None
refused("NoSuchBucket", s3.get_bucket_location, Bucket="other")

# Put, once; nothing is replaced.
body = bytes(range(256)) * 40
for n in range(7):
    s3.put_object(Bucket="footage", Key=f"a b/ä+{n}.mp4", Body=body, ContentType="video/mp4", Metadata={"from": "x"})
refused("PreconditionFailed", s3.put_object, Bucket="footage", Key="a b/ä+0.mp4", Body=b"x", IfNoneMatch="*")
s3.put_object(Bucket="footage", Key="c/d", Body=b"x", IfNoneMatch="*")

# Pages, flat and as directories.
pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket="footage", PaginationConfig={"PageSize": 3}))
keys = [found["Key"] for page in pages for found in page.get("Contents", [])]
assert keys == sorted(f"a b/ä+{n}.mp4" for n in range(7)) + ["c/d"] and len(pages) == 3, keys
pages = list(s3.get_paginator("list_objects").paginate(Bucket="footage", PaginationConfig={"PageSize": 3}))
assert [found["Key"] for page in pages for found in page.get("Contents", [])] == keys, pages
pages = list(s3.get_paginator("list_objects").paginate(Bucket="footage", Delimiter="/", PaginationConfig={"PageSize": 1}))
assert [common["Prefix"] for page in pages for common in page.get("CommonPrefixes", [])] == ["a b/", "c/"], pages
folded = s3.list_objects_v2(Bucket="footage", Delimiter="/")
assert [common["Prefix"] for common in folded["CommonPrefixes"]] == ["a b/", "c/"], folded

# What an object is.
one = {"Bucket": "footage", "Key": "a b/ä+3.mp4"}
wanted = ["ETag", "Checksum", "ObjectSize", "StorageClass", "ObjectParts"]
said = s3.get_object_attributes(ObjectAttributes=wanted, **one)
digest = hashlib.sha256(body).digest()
assert said["Checksum"]["ChecksumSHA256"] == base64.b64encode(digest).decode(), said
assert said["ObjectSize"] == len(body) and said["StorageClass"] == "STANDARD" and "ObjectParts" not in said, said
head = s3.head_object(**one)
assert said["ETag"].strip('"') == head["ETag"].strip('"') and said["LastModified"] == head["LastModified"], (said, head)
only = s3.get_object_attributes(ObjectAttributes=["ObjectSize"], **one)
assert only["ObjectSize"] == len(body) and "Checksum" not in only and "ETag" not in only, only
refused("NoSuchKey", s3.get_object_attributes, Bucket="footage", Key="nothing", ObjectAttributes=["ETag"])

# Bytes, by range and by a link.
part = s3.get_object(Range="bytes=100-299", **one)
assert part["Body"].read() == body[100:300] and part["ContentRange"] == f"bytes 100-299/{len(body)}"
link = s3.generate_presigned_url("get_object", Params=one, ExpiresIn=60)
assert urllib.request.urlopen(link).read() == body
# As rclone writes: by a link.
new = {"Bucket": "footage", "Key": "by a link.mp4"}
link = s3.generate_presigned_url("put_object", Params=new, ExpiresIn=60)
put = urllib.request.Request(link, data=b"by a link", method="PUT")
assert urllib.request.urlopen(put).status == 200
assert s3.get_object(**new)["Body"].read() == b"by a link"

s3.delete_object(**one)
refused("404", s3.head_object, **one)
print("boto3 is content")
