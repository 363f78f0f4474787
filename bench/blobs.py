"""Storing and reading a document, in ConfigMaps, an S3 server and a folder: milliseconds, and this process's CPU.

    python -m bench.blobs [ROUNDS]

The document is 1 MB of JSON, another one each time, which compression makes about a fifth of. API server, etcd (without
fsync) and S3 server run on this machine.
"""

import asyncio
import json
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

from bench.cluster import measured_crew
from devcluster import ObjectServer
from specsync.blobs.configmap import ConfigMapBlobs
from specsync.blobs.location import Location
from specsync.blobs.objectstore import ObjectBlobs
from specsync.blobs.settings import Environment
from specsync.blobs.store import BlobStore
from specsync.kube.client import KubeClient
from specsync.kube.core import ConfigMap
from specsync.resources.meta import ObjectMeta, OwnerReference

_WORDS = [f"{a}{b}{c}" for a in ("get", "list", "order", "user") for b in ("Item", "Page", "Status") for c in range(40)]


class Fixed(Environment):
    """Settings that are known beforehand."""

    def __init__(self, settings: dict[str, str]) -> None:
        self._settings = settings

    async def read(self) -> dict[str, str]:
        return self._settings


def document(seed: int) -> bytes:
    chance = random.Random(seed)
    paths: dict[str, object] = {}
    while len(paths) < 3000:
        name, text = f"/{seed}/{chance.choice(_WORDS)}/{len(paths)}", " ".join(chance.choices(_WORDS, k=25))
        paths[name] = {"get": {"operationId": chance.randbytes(4).hex(), "description": text}}
    return json.dumps({"openapi": "3.1.0", "info": {"title": "Bench", "version": str(seed)}, "paths": paths}).encode()


async def measure(title: str, store: BlobStore, namespace: str, owner: OwnerReference, contents: list[bytes]) -> None:
    puts, gets = [], []
    cpu = time.process_time()
    for content in contents:
        started = time.perf_counter()
        ref = await store.put(namespace, content, owner)
        puts.append(time.perf_counter() - started)
        started = time.perf_counter()
        assert await store.get(namespace, ref) == content
        gets.append(time.perf_counter() - started)
    cpu = (time.process_time() - cpu) / len(contents)
    put, get = (f"{statistics.median(times) * 1000:6.1f}" for times in (puts, gets))
    print(f"{title:<12} put {put} ms, get {get} ms, CPU of both {cpu * 1000:5.1f} ms")


async def compare(kubeconfig: Path, namespace: str, folder: Path, server: ObjectServer, rounds: int) -> None:
    contents = [document(seed) for seed in range(rounds)]
    print(f"{rounds} documents of {len(contents[0]) / 1e6:.2f} MB; medians")
    client = await KubeClient.connect("bench", "bench", str(kubeconfig))
    try:
        made = await client.create(ConfigMap(metadata=ObjectMeta(name="owner", namespace=namespace)))
        owner = OwnerReference(api_version="v1", kind="ConfigMap", name="owner", uid=made.metadata.uid)
        await measure("ConfigMaps", ConfigMapBlobs(client), namespace, owner, contents)
        s3 = ObjectBlobs(Location.parse(f"s3://{server.bucket}/bench"), Fixed(server.settings))
        await measure("S3", s3, namespace, owner, contents)
        await measure("folder", ObjectBlobs(Location("file", "", str(folder)), Fixed({})), namespace, owner, contents)
    finally:
        await client.close()


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    with tempfile.TemporaryDirectory() as state, ObjectServer(Path(state, "s3")) as server, measured_crew() as crew:
        asyncio.run(compare(crew.cluster.kubeconfig, crew.namespace, Path(state, "folder"), server, rounds))


if __name__ == "__main__":
    main()
