#!/usr/bin/env python3
"""A small aiq client: adds jobs to a queue, consumes them, counts them.

Written from docs/reference/protocol.md alone, for Python 3.9 or newer without packages, as a model for other
languages. Names in [brackets] are sections of that document.
"""

import argparse
import collections
import hashlib
import hmac
import io
import ipaddress
import json
import os
import shlex
import socket
import subprocess
import sys
import zlib

HELLO, ERROR, GOODBYE, ENQUEUE, SUBSCRIBE, DELIVER = 1, 3, 5, 10, 12, 13  # [Messages]
SETTLE, EXTEND, STATS, BLOB_GET, PROVE = 14, 16, 24, 45, 7
STATES = "none delayed ready leased done dead cancelled parked".split()  # [Types]
OUTCOMES = {"ack": 1, "retry": 2, "throttled": 3, "returned": 4, "final": 6}
ENQUEUE_OUTCOMES = {1: "created", 2: "exists", 3: "refused"}
CANCEL = 1  # A directive.
WIDTHS = {"u8": 1, "bool": 1, "u16": 2, "u32": 4, "u53": 8, "id": 16, "token": 16 + 8 + 4}
ERRORS = {  # [Errors]
    1: "BAD_MAGIC", 2: "VERSION", 3: "FRAME_TOO_LARGE", 4: "BAD_FRAME", 5: "UNKNOWN_OPCODE",
    6: "HELLO_EXPECTED", 7: "UNAUTHORIZED", 8: "TOO_SLOW", 9: "SESSION_IN_USE",
    10: "TOO_MANY_CONNECTIONS", 20: "UNSUPPORTED", 21: "BAD_JOB", 22: "CHECKSUM",
    23: "JOB_TOO_LARGE", 24: "TOO_MANY_ITEMS", 25: "CONFLICT", 26: "BATCH_REFUSED",
    27: "QUEUE_FULL", 30: "NOT_FOUND", 31: "BAD_STATE", 32: "STALE_LEASE", 33: "BAD_REQUEST",
    35: "NO_BLOB", 36: "BAD_BLOB",
    40: "SHUTTING_DOWN", 41: "DISK_FULL", 42: "LOG_UNREAD", 50: "INTERNAL",
}
CRITICAL = 0x8000  # [Jobs]
ID, QUEUE, DIGEST, BODY, ATTEMPTS_MAX, DELAY_MS = (CRITICAL | tag for tag in range(1, 7))
AGENT = 16
BODY_REF, PRIORITY, EXPIRES_AT_MS, PARK_KEY, RUN_AT_MS = (CRITICAL | t for t in (64, 65, 66, 72, 73))
KNOWN = {ID, QUEUE, DIGEST, BODY, ATTEMPTS_MAX, DELAY_MS, BODY_REF}
KNOWN |= {PRIORITY, EXPIRES_AT_MS, PARK_KEY, RUN_AT_MS}  # The broker's business alone.
FRAME_HEADER = "u32 u8 u8 u16 u32"  # [Frames]: length, opcode, flags, reserved, correlation id
FRAME_BYTES_MAX = 4 << 20  # [Limits]
BASE32 = "0123456789abcdefghjkmnpqrstvwxyz"
Delivery = collections.namedtuple("Delivery", "token lease_seconds job")


class AiqError(Exception):
    """What the broker refused, or this client; `code` is a name from the table of errors."""

    def __init__(self, code, message):
        super().__init__(f"{code}: {message}")
        self.code = code


def raise_if(number, message):
    if number:
        raise AiqError(ERRORS.get(number, f"error {number}"), message)


def pack(form, *values):
    """[Types]: values as bytes; `form` names their types as the tables of the document do."""
    raw = b""
    for kind, value in zip(form.split(), values):
        if kind in ("text", "bytes"):
            value = value.encode() if kind == "text" else value
            raw += len(value).to_bytes(4, "big") + value
        else:
            raw += value if isinstance(value, bytes) else value.to_bytes(WIDTHS[kind], "big")
    return raw


def unpack(stream, form):
    """The other way round; ids and tokens stay the bytes that they are."""

    def take(count):
        raw = stream.read(count)
        if len(raw) < count:
            raise ConnectionError("the connection or a message ended early")
        return raw

    def one(kind):
        raw = take(WIDTHS[kind] if kind in WIDTHS else one("u32"))
        if kind in ("text", "bool"):
            return raw.decode() if kind == "text" else raw == b"\1"
        return raw if kind in ("bytes", "id", "token") else int.from_bytes(raw, "big")

    return [one(kind) for kind in form.split()]


def id_text(raw):
    """[Types]: an id as people and JSON write it."""
    number = int.from_bytes(raw, "big") << 2
    return "".join(BASE32[number >> shift & 31] for shift in range(125, -1, -5))


def encode_job(job_id, queue, body, agent=""):
    """[Jobs]: a checksum, then each field as tag, length and value."""
    digest = hashlib.sha256(agent.encode() + b"\0" + body).digest()[:16]
    raw = pack("u16 bytes u16 text u16 bytes", ID, job_id, QUEUE, queue, DIGEST, digest)
    raw += pack("u16 text u16 bytes", AGENT, agent, BODY, body)
    return pack("u32", zlib.crc32(raw)) + raw


def decode_job(raw):
    """The fields of a delivered job by tag. Raises AiqError for a job not to be trusted."""
    stream, fields = io.BytesIO(raw), {}
    if unpack(stream, "u32") != [zlib.crc32(raw[4:])]:
        raise AiqError("CHECKSUM", "the job was damaged on its way here")
    while stream.tell() < len(raw):
        tag, value = unpack(stream, "u16 bytes")
        fields[tag] = value
        if tag & CRITICAL and tag not in KNOWN:
            raise AiqError("UNSUPPORTED", f"critical job field {tag & ~CRITICAL} is not known here")
    return fields


class Client:
    """One connection and its session. Every method raises AiqError when the broker refuses."""

    def __init__(self, sock, token=b""):
        self.sock, self.stream = sock, sock.makefile("rb")
        self.correlation, self.deliveries = 0, collections.deque()
        sock.sendall(b"AIQP" + pack("u16 u16", 1, 0))  # [Connections]
        if self.stream.read(8)[:4] != b"AIQP":
            raise AiqError("BAD_MAGIC", "this is no aiq broker")
        proof = self.prove(token) if token else b""
        hello = (os.urandom(16), "aiq_client.py", proof, 0, FRAME_BYTES_MAX)
        self.call(HELLO, pack("id text bytes u32 u32", *hello))

    def prove(self, token):
        """[The proof over TCP]: the broker's is checked before anything else is sent; returns ours."""
        ours = os.urandom(32)
        broker, theirs, proof = unpack(self.call(PROVE, pack("bytes", ours)), "id bytes bytes")

        def sign(side):
            return hmac.digest(token, b"aiq/1 " + side + ours + theirs + broker, "sha256")

        if len(theirs) != 32 or not hmac.compare_digest(proof, sign(b"broker")):
            raise AiqError("UNAUTHORIZED", "whoever answers there does not have the token")
        return sign(b"client")

    def receive(self):
        """[Frames]: reads one frame; keeps the jobs of a Deliver for `next_delivery`."""
        length, opcode, _, _, correlation = unpack(self.stream, FRAME_HEADER)
        if length > FRAME_BYTES_MAX:
            raise AiqError("FRAME_TOO_LARGE", f"the broker announced {length} bytes")
        body = io.BytesIO(self.stream.read(length))
        if opcode == ERROR:
            raise_if(*unpack(body, "u16 text"))
        if opcode == DELIVER:
            for _ in range(unpack(body, "u32")[0]):
                item = unpack(body, "token u32 u32 bool u32 u53 bytes")
                self.deliveries.append(Delivery(item[0], item[4] / 1000, item[6]))
        return correlation, body

    def call(self, opcode, body):
        """Sends a request and returns the body of its answer."""
        self.correlation += 1
        self.sock.sendall(pack(FRAME_HEADER, len(body), opcode, 0, 0, self.correlation) + body)
        while True:
            correlation, answer = self.receive()
            if correlation == self.correlation:
                return answer

    def enqueue(self, job):
        """Adds one encoded job; returns outcome and state. It is on disk when this returns."""
        answer = self.call(ENQUEUE, pack("bool u32 bytes", 0, 1, job))
        _, _, outcome, state, code, message = unpack(answer, "u32 id u8 u8 u16 text")
        raise_if(code, message)
        return ENQUEUE_OUTCOMES[outcome], STATES[state]

    def subscribe(self, queue, credit):
        self.call(SUBSCRIBE, pack("u32 text u32", 1, queue, credit))

    def next_delivery(self):
        while not self.deliveries:
            self.receive()
        return self.deliveries.popleft()

    def extend(self, delivery):
        """Renews the lease; raises AiqError when it was lost or the job was cancelled."""
        answer = self.call(EXTEND, pack("u32 token", 1, delivery.token))
        _, code, directive = unpack(answer, "u32 u16 u8")
        raise_if(code, "the lease was lost")
        if directive == CANCEL:
            raise AiqError("BAD_STATE", "the job was cancelled")

    def settle(self, delivery, outcome, delay_ms=0, error=("", "")):
        item = pack("token u8 u53", delivery.token, OUTCOMES[outcome], delay_ms)
        item += pack("text text text", *error, "")  # errorCode, errorMessage, note
        item += pack("u32 u53 u53 u53 bool", 0, 0, 0, 0, 0)  # usage
        item += pack("u8 u32 u8", 0, 0, 0)  # No result, no follow-up jobs, no park.
        answer = self.call(SETTLE, pack("u32", 1) + item)
        _, code, _, message = unpack(answer, "u32 u16 u8 text")
        raise_if(code, message)

    def body(self, fields):
        """The body of a decoded job, fetched and checked when it is a blob."""
        if BODY_REF not in fields:
            return fields[BODY]
        sha256, total = fields[BODY_REF][:32], int.from_bytes(fields[BODY_REF][32:], "big")
        body = b""
        while len(body) < total:
            answer = self.call(BLOB_GET, pack("bytes u53 u32", sha256, len(body), 256 << 10))
            chunk = unpack(answer, "u53 u53 bytes")[2]
            if not chunk:
                break
            body += chunk
        if hashlib.sha256(body).digest() != sha256:
            raise AiqError("BAD_BLOB", "the body was damaged on its way here")
        return body

    def stats(self):
        """The queueInfo of every queue."""
        answer = self.call(STATS, pack("u32", 0))
        *_, count = unpack(answer, "u32 u53 u32 u32 u53 u53 u32 u53 u53 bool u53 u32")
        names = ("queue", "paused", *STATES[1:], "consumers", "oldestReadyMs")
        names += ("bytes", "jobsMax", "bytesMax", "keepMs", "keepJobs")
        form = "text bool u53 u53 u53 u53 u53 u53 u53 u32 u53 u53 u53 u53 u53 u53"
        return [dict(zip(names, unpack(answer, form))) for _ in range(count)]


def connect(folder, broker, token_file):
    """[Connections]: to the socket or port that was named, else to where the folder says."""
    if not broker:
        with open(os.path.join(folder, "endpoints.json"), encoding="utf-8") as file:
            endpoints = json.load(file)
        status = os.stat(folder)
        if endpoints["folder"] != f"{status.st_dev}:{status.st_ino}":
            raise OSError(f"{folder} is a copy of the folder that its endpoints.json speaks of")
        trust(folder, 0o077)
        trust(file.name, 0o022)
        socket_path = os.path.join(folder, "broker.sock")  # Never a path from a copied file.
        broker = socket_path if endpoints["unix"] else "{host}:{port}".format(**endpoints["tcp"])
    if "/" in broker:
        trust(os.path.dirname(broker), 0o077)
        trust(broker, 0)
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(min(broker, os.path.relpath(broker), key=len))  # About 100 bytes at most.
        return Client(sock)
    with open(token_file or os.path.join(folder, "token"), "rb") as file:
        token = file.read().strip()
    trust(file.name, 0o077)
    host, port = broker.rsplit(":", 1)
    host = "127.0.0.1" if host == "localhost" else host.strip("[]")
    if len(token) < 32 or not is_loopback(host):
        raise AiqError("UNTRUSTED", "over TCP it takes a token, and an address of this machine")
    return Client(socket.create_connection((host, int(port))), token)


def is_loopback(host):
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # A name: nobody knows where that leads.
        return False


def trust(path, forbidden):
    """[Connections]: what leads to a broker is this user's, and others lack the forbidden rights."""
    found = os.stat(path)
    if found.st_uid != os.getuid() or found.st_mode & forbidden:
        raise AiqError("UNTRUSTED", f"{path} is not of this user alone (see its owner and mode)")


def enqueue(client, args):
    job_id = hashlib.sha256(args.id.encode()).digest()[:16] if args.id else os.urandom(16)
    print(id_text(job_id), *client.enqueue(encode_job(job_id, args.queue, args.body, args.agent)))


def consume(client, args):
    """[A minimal consumer]: one job at a time, so the credit is 1."""
    client.subscribe(args.queue, 1)
    for left in range(args.count, 0, -1):
        delivery = client.next_delivery()
        if left == 1:  # Settling frees the place, so say first that nothing more is wanted.
            client.subscribe(args.queue, 0)
        try:
            body = client.body(decode_job(delivery.job))
        except AiqError as error:  # Not the job's fault: somebody else may read it.
            client.settle(delivery, "returned", 5000, (error.code.lower(), str(error)))
            raise
        print(body.decode(), flush=True)
        if args.exec and not run(client, delivery, args.exec, body):
            client.settle(delivery, "retry", 0, ("failed", f"no success: {args.exec}"))
        else:
            client.settle(delivery, args.nack or "ack")


def run(client, delivery, command, body):
    """Gives the body to a command and renews the lease until it ended; true when it went well."""
    client.sock.settimeout(delivery.lease_seconds / 2)  # 1/3 + 1/2: we stop before the lease does.
    process = subprocess.Popen(shlex.split(command), stdin=subprocess.PIPE)
    try:
        while process.returncode is None:
            try:
                process.communicate(body, timeout=delivery.lease_seconds / 3)
            except subprocess.TimeoutExpired:
                client.extend(delivery)
                body = None  # Python keeps what is still to be written.
    finally:
        process.kill()
        client.sock.settimeout(None)
    return process.returncode == 0


def stats(client, _):
    print(json.dumps(client.stats(), indent=2))


def json_file(path):
    """The bytes of a file of JSON; for argparse, which reports what is wrong with it."""
    try:
        with sys.stdin.buffer if path == "-" else open(path, "rb") as file:
            raw = file.read()
        json.loads(raw)
        return raw
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"{path}: {error}")


def arguments():
    parser = argparse.ArgumentParser(description="Adds, consumes and counts jobs of an aiq broker.")
    commands = parser.add_subparsers(dest="command", required=True)
    for command in (enqueue, consume, stats):
        options = commands.add_parser(command.__name__)
        options.set_defaults(run=command)
        options.add_argument("--folder", default=".aiq", help="the broker's folder")
        options.add_argument("--broker", help="instead of --folder: its socket, or HOST:PORT")
        options.add_argument("--token-file", help="for HOST:PORT; default: FOLDER/token")
        if command != stats:
            options.add_argument("queue")
        if command == enqueue:
            options.add_argument("body", type=json_file, help="a file of JSON, or - for stdin")
            options.add_argument("--agent", default="", help="the agent of aiq that shall do it")
            options.add_argument("--id", help="a name: adding the same again answers `exists`")
        if command == consume:
            options.add_argument("--count", type=int, default=1)
            options.add_argument("--exec", help="a command that gets each body on its stdin")
            options.add_argument("--nack", choices=list(OUTCOMES)[1:])
    return parser.parse_args()


def main():
    args = arguments()
    try:
        client = connect(args.folder, args.broker, args.token_file)
        args.run(client, args)
        client.call(GOODBYE, b"")
    except AiqError as error:
        sys.exit(str(error))  # With status 1.
    except OSError as error:
        print(f"UNREACHABLE: {error} (start a broker: aiq broker start)", file=sys.stderr)
        sys.exit(6)


if __name__ == "__main__":
    main()
