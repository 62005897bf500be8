"""Stores a file, reads a part of it back, and looks for it among all blobs.

Usage: graviton_example.py http://127.0.0.1:7480 FILE
"""

import sys
from collections.abc import Iterator
from typing import BinaryIO

import grpc

from graviton.blob.v1 import blob_pb2, blob_pb2_grpc
from graviton.core.v1 import core_pb2

# No frame may be longer.
FRAME_BYTES = 1024 * 1024


def main(endpoint: str, path: str) -> None:
    with grpc.insecure_channel(endpoint.removeprefix("http://")) as channel:
        blobs = blob_pb2_grpc.BlobServiceStub(channel)

        with open(path, "rb") as file:
            stored = blobs.PutBlob(upload(file))
        key = stored.confirmed.key
        print(f"Stored {text(key)}, {'new' if stored.created else 'there already'}")

        middle = core_pb2.ByteRange(offset=key.size // 2, length=16)
        frames = blobs.GetBlob(blob_pb2.GetBlobRequest(key=key, range=middle))
        part = b"".join(answer.frame for answer in frames)
        print(f"Read {len(part)} bytes from {middle.offset} on: {part.hex()}")

        listed = blobs.ListBlobs(blob_pb2.ListBlobsRequest())
        found = any(blob.confirmed.key == key for blob in listed)
        print(f"Listed {'with' if found else 'without'} it")


def upload(file: BinaryIO) -> Iterator[blob_pb2.PutBlobRequest]:
    """The messages of one upload: the plan, the frames, and the end, without which nothing is stored."""
    yield blob_pb2.PutBlobRequest(plan=blob_pb2.BlobWritePlan())
    while frame := file.read(FRAME_BYTES):
        yield blob_pb2.PutBlobRequest(frame=frame)
    yield blob_pb2.PutBlobRequest(end=core_pb2.UploadEnd())


def text(key: core_pb2.Key) -> str:
    """The key as people and the command line write it."""
    algorithm = core_pb2.HashAlgorithm.Name(key.algorithm).removeprefix("HASH_ALGORITHM_").lower()
    return f"{algorithm}:{key.digest}:{key.size}"


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except grpc.RpcError as error:
        sys.exit(f"{error.code().name}: {error.details()}")
    except OSError as error:
        sys.exit(str(error))
