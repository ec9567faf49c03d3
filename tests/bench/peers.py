# SPDX-License-Identifier: Apache-2.0
"""The programs Satchel is measured against: ssh with a server of our own on loopback, and age."""
import getpass
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import time

CIPHER = "aes256-gcm@openssh.com"


class Ssh:
    """An sshd on 127.0.0.1 with keys of its own; ends with close()."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, mode=0o700)
        self.store = self.folder / "store"
        self.store.mkdir()
        for name in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / name)], check=True)
        shutil.copy(self.folder / "user.pub", self.folder / "authorized")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.write_configs()
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)
        self.process = subprocess.Popen([shutil.which("sshd", path="/usr/sbin:/usr/bin"), "-D", "-e", "-f",
                                         str(self.folder / "sshd_config")], stderr=open(self.folder / "log", "wb"))
        self.wait()

    def write_configs(self):
        place = self.folder
        (place / "sshd_config").write_text(
            f"ListenAddress 127.0.0.1\nPort {self.port}\nHostKey {place}/host\nAuthorizedKeysFile {place}/authorized\n"
            f"PidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\n"
            f"Ciphers {CIPHER}\nSubsystem sftp internal-sftp\nMaxStartups 100\n")
        host = (place / "host.pub").read_text()
        (place / "known").write_text(f"[127.0.0.1]:{self.port} {host}")
        (place / "config").write_text(
            f"Host peer\n  HostName 127.0.0.1\n  Port {self.port}\n  User {getpass.getuser()}\n"
            f"  IdentityFile {place}/user\n  IdentitiesOnly yes\n  UserKnownHostsFile {place}/known\n"
            f"  Ciphers {CIPHER}\n  Compression no\n  LogLevel ERROR\n")

    def wait(self):
        end = time.monotonic() + 20
        while time.monotonic() < end:
            if subprocess.run(self.command("true"), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              check=False).returncode == 0:
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        sys.exit(f"sshd does not start: see {self.folder}/log")

    def command(self, remote):
        return ["ssh", "-F", str(self.folder / "config"), "peer", remote]

    def scp(self, source, target):
        return ["scp", "-q", "-F", str(self.folder / "config"), str(source), str(target)]

    def close(self):
        self.process.terminate()
        self.process.wait()


class Age:
    """A key pair of age."""

    def __init__(self, folder):
        self.identity = pathlib.Path(folder) / "age-identity"
        subprocess.run(["age-keygen", "-o", str(self.identity)], check=True, stderr=subprocess.DEVNULL)
        self.recipient = subprocess.run(["age-keygen", "-y", str(self.identity)], check=True,
                                        stdout=subprocess.PIPE, text=True).stdout.strip()


class Flask:
    """An upload form as one writes it in an afternoon: Flask under gunicorn, a synced file for each upload."""

    def __init__(self, folder, body):
        self.folder = pathlib.Path(folder)
        (self.folder / "uploads").mkdir(parents=True)
        self.body = body
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process = subprocess.Popen(
            ["gunicorn", "--workers", str(os.cpu_count()), "--threads", "32", "--keep-alive", "60", "--log-level",
             "error", "--bind", f"127.0.0.1:{self.port}", "flask_upload:app"], cwd=pathlib.Path(__file__).parent,
            env={**os.environ, "UPLOADS": str(self.folder / "uploads"), "PYTHONDONTWRITEBYTECODE": "1"})
        end = time.monotonic() + 20
        while time.monotonic() < end:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.1)
        sys.exit("gunicorn does not start")

    def load(self, clients, count):
        """Uploads a second, from so many clients on open connections."""
        done = subprocess.run(["ab", "-q", "-k", "-c", str(clients), "-n", str(count), "-p", str(self.body), "-T",
                               "application/octet-stream", f"http://127.0.0.1:{self.port}/"], check=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if "Non-2xx responses" in done.stdout:
            sys.exit(f"Flask refuses uploads:\n{done.stdout}")
        return float(re.search(r"Requests per second:\s+([0-9.]+)", done.stdout).group(1))

    def close(self):
        self.process.terminate()
        self.process.wait()
