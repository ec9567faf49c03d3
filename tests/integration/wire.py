# SPDX-License-Identifier: Apache-2.0
"""A connection that says what it likes: frames of PROTOCOL.md section 2 over TLS, right or wrong."""
import importlib
import socket
import ssl
import struct
import subprocess
import sys
import tempfile

from harness import TREE, WAIT

_folder = tempfile.TemporaryDirectory(prefix="satchel-proto-")


def schema():
    """The Python module of satchel.proto, made when it is first asked for."""
    if "satchel_pb2" not in sys.modules:
        subprocess.run(["protoc", f"--proto_path={TREE / 'proto'}", f"--python_out={_folder.name}", "satchel.proto"],
                       check=True)
        sys.path.insert(0, _folder.name)
        importlib.invalidate_caches()
    return importlib.import_module("satchel_pb2")


def frame(head, tail=b""):
    return struct.pack(">II", len(head), len(tail)) + head + tail


class Closed(Exception):
    """The peer has ended the connection, with close_notify or without."""


class Peer:
    def __init__(self, daemon, timeout=WAIT):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.set_alpn_protocols(["satchel/1"])
        plain = socket.create_connection((daemon.address, daemon.port), timeout=timeout)
        try:
            self.stream = context.wrap_socket(plain)
        except BaseException:
            plain.close()
            raise
        self.number = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()

    def raw(self, data):
        self.stream.sendall(data)

    def send(self, name, tail=b"", number=None, **fields):
        """One request, as in send("hello", min_version=1, max_version=1); gives its number."""
        proto = schema()
        envelope = proto.Envelope()
        if number is None:
            self.number += 1
            number = self.number
        envelope.id = number
        body = getattr(envelope, name)
        body.SetInParent()
        for field, value in fields.items():
            setattr(body, field, value)
        self.raw(frame(envelope.SerializeToString(), tail))
        return number

    def exactly(self, length):
        data = b""
        while len(data) < length:
            try:
                block = self.stream.recv(length - len(data))
            except (ssl.SSLError, ConnectionError) as error:
                raise Closed from error
            if not block:
                raise Closed
            data += block
        return data

    def receive(self):
        """The next frame: envelope and tail."""
        head_len, tail_len = struct.unpack(">II", self.exactly(8))
        envelope = schema().Envelope()
        envelope.ParseFromString(self.exactly(head_len))
        return envelope, self.exactly(tail_len)

    def ask(self, name, **fields):
        number = self.send(name, **fields)
        envelope, _ = self.receive()
        assert envelope.id == number, envelope
        return envelope

    def hello(self):
        return self.ask("hello", min_version=1, max_version=1, software="test")

    def error(self):
        """The next frame must be an error; its code."""
        envelope, _ = self.receive()
        assert envelope.WhichOneof("body") == "error", envelope
        return schema().Code.Name(envelope.error.code)

    def closed(self):
        """Read until the peer ends the connection."""
        try:
            while True:
                self.receive()
        except Closed:
            return True
