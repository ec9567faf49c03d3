# SPDX-License-Identifier: Apache-2.0
"""What must be refused, with the exit code and the words that were promised."""
import base64
import hashlib
import json
import os
import re
import select
import shutil
import socket
import ssl
import subprocess
import time
from datetime import datetime, timedelta, timezone

from harness import PIN, TREE, WAIT, Case, Daemon, Terminal, User, free_port, program, run


class Server(Case):
    """Whom the client talks to."""

    users = ()

    def register(self, *args, **options):
        user = User(self.daemon, self.work, "dora")
        return user, user.json("register", "--server", self.daemon.server, "--name", "dora", "--email",
                               "dora@example.org", "--no-passphrase", *args, **options)

    def test_wrong_pin(self):
        wrong = "A" * 42 + "E"
        user, result = self.register("--pin", wrong, expect=4)
        said = result.text + result.errors
        self.assertIn(wrong, said)
        self.assertIn(self.daemon.pin, said)
        user.run("whoami", expect=None)
        self.assertNotEqual(user.run("whoami", expect=None).code, 0)

    def test_pin_of_a_profile(self):
        user = User(self.daemon, self.work, "erin")
        user.register()
        # The daemon of this address is another one now.
        other = Daemon(self.work / "other")
        for name in ("tls.key", "tls.crt"):
            (other.data / name).unlink(missing_ok=True)
        shutil.rmtree(other.data)
        run([program("satcheld"), "init", "--data", other.data, "--listen", self.daemon.server], timeout=WAIT * 5)
        self.daemon.stop()
        try:
            other.start()
            self.addCleanup(other.kill)
            result = user.json("inbox", expect=4)
            self.assertEqual(result.error["code"], "pin")
            said = result.text + result.errors
            self.assertIn(other.pin, said)
            self.assertIn(self.daemon.pin, said)
        finally:
            other.kill()
            self.daemon.start()

    def test_what_is_no_pin(self):
        _, result = self.register("--pin", "wrong", expect=2)
        self.assertIn("'wrong'", result.error["message"])

    def test_unknown_server_without_terminal(self):
        user, result = self.register(expect=4)
        self.assertIn(self.daemon.pin, result.text + result.errors)
        self.assertNotEqual(user.run("whoami", expect=None).code, 0)

    def on_terminal(self, answer, expect=0):
        """Register on a terminal without a pin, and answer when the server's is shown."""
        user = User(self.daemon, self.work, "fred")
        terminal = Terminal(user, "register", "--server", self.daemon.server, "--name", "fred", "--email",
                            "fred@example.org", "--no-passphrase")
        terminal.until(re.escape(self.daemon.pin))
        terminal.until(r"\(yes/no\) ")
        terminal.type(answer)
        terminal.end(expect)
        return user

    def test_unknown_server_confirmed(self):
        self.on_terminal("yes").run("whoami")

    def test_unknown_server_declined(self):
        self.on_terminal("no", expect=4)

    def test_nobody_there(self):
        user = User(self.daemon, self.work, "gina")
        result = user.json("register", "--server", f"127.0.0.1:{free_port()}", "--name", "gina", "--email",
                           "gina@example.org", "--no-passphrase", "--pin", self.daemon.pin, expect=5)
        self.assertEqual(result.error["code"], "connect")


class Tls(Case):
    users = ()

    def s_client(self, *args):
        return subprocess.run(["openssl", "s_client", "-connect", self.daemon.server, *args], input=b"",
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=WAIT, check=False)

    def test_tls13_with_alpn(self):
        done = self.s_client("-tls1_3", "-alpn", "satchel/1")
        self.assertIn(b"ALPN protocol: satchel/1", done.stdout)
        self.assertIn(b"TLSv1.3", done.stdout)

    def test_tls12_is_refused(self):
        done = self.s_client("-tls1_2", "-alpn", "satchel/1")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(b"protocol version", done.stdout)

    def test_without_alpn(self):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        for alpn in (None, ["http/1.1"]):
            with self.subTest(alpn=alpn):
                if alpn:
                    context.set_alpn_protocols(alpn)
                with self.assertRaises((ssl.SSLError, ConnectionError)):
                    with socket.create_connection((self.daemon.address, self.daemon.port), timeout=WAIT) as plain:
                        with context.wrap_socket(plain) as stream:
                            if stream.recv(1) == b"":
                                raise ConnectionError("closed")

    def test_pin_is_of_the_certificate(self):
        certificate = self.s_client("-alpn", "satchel/1", "-showcerts").stdout
        key = subprocess.run(["openssl", "x509", "-pubkey", "-noout"], input=certificate,
                             stdout=subprocess.PIPE, check=True).stdout
        der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=key,
                             stdout=subprocess.PIPE, check=True).stdout
        pin = base64.urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()
        self.assertEqual(pin, self.daemon.pin)
        self.assertRegex(pin, PIN)


class Registration(Case):
    users = ("alice",)

    def user(self, name):
        return User(self.daemon, self.work, name)

    def test_taken_name(self):
        result = self.user("alice").register(expect=4)
        self.assertEqual(result.error["code"], "exists")

    def test_taken_address(self):
        user = self.user("emma")
        user.email = self.alice.email
        refused = user.register(expect=4).error
        self.assertIn("e-mail address is taken", refused["message"])
        self.assertIn("--email", refused["hint"])
        self.assertNotIn("another name", refused["hint"])

    def test_suspended(self):
        user = self.user("sam")
        user.register()
        self.daemon.ctl("user", "suspend", "sam")
        refused = user.json("inbox", expect=4).error
        self.assertIn("suspended", refused["message"])
        self.assertIn("operator", refused["hint"])
        self.daemon.ctl("user", "resume", "sam")
        user.inbox()

    def test_operators_json_behind_the_verb(self):
        for args in (("--json", "user", "show", "alice"), ("user", "show", "alice", "--json"),
                     ("user", "show", "--json", "alice")):
            self.assertEqual(json.loads(self.daemon.ctl(*args).text)["result"]["name"], "alice")
        self.daemon.ctl("user", "show", "alice", "--nonsense", expect=2)

    def test_bad_names(self):
        for name in ("Alice", "a" * 33, "", "a b", "a/b", "\u00e4"):
            with self.subTest(name=name):
                user = self.user("x")
                user.name = name
                self.assertIn(user.register(expect=None).code, (1, 2))

    def test_bad_email(self):
        for email in ("nobody", "@x", "x@", "a b@c", "a@b@c", "a@" + "b" * 254):
            with self.subTest(email=email):
                user = self.user("mailtest")
                user.email = email
                self.assertIn(user.register(expect=None).code, (1, 2))

    def test_profile_is_not_overwritten(self):
        before = {path: path.read_bytes() for path in self.alice.home.rglob("*") if path.is_file()}
        self.assertNotEqual(self.alice.register(expect=None).code, 0)
        after = {path: path.read_bytes() for path in self.alice.home.rglob("*") if path.is_file()}
        self.assertEqual(before, after)

    def test_closed(self):
        self.with_policy("closed", lambda: self.user("harry").register(expect=4))
        self.user("harry").register()

    def test_invitation(self):
        def body():
            self.user("iris").register(expect=4)
            code = self.daemon.ctl("invite", "create").text.split()[-1]
            self.user("iris").register("--invite", code)
            self.user("jack").register("--invite", code, expect=4)
            self.user("jack").register("--invite", "nonsense", expect=4)
        self.with_policy("invite", body)

    def with_policy(self, policy, body):
        self.daemon.stop()
        self.daemon.configure({("server", "registration"): policy})
        self.daemon.start()
        try:
            body()
        finally:
            self.daemon.stop()
            self.daemon.configure({("server", "registration"): "open"})
            self.daemon.start()


class Vault(Case):
    users = ()

    def with_passphrase(self, user, passphrase, *args, **options):
        reading, writing = os.pipe()
        os.write(writing, passphrase + b"\n")
        os.close(writing)
        try:
            return user.json("--passphrase-fd", str(reading), *args, pass_fds=(reading,), **options)
        finally:
            os.close(reading)

    def setUp(self):
        super().setUp()
        self.user = User(self.daemon, self.work, "kim-" + self.id().rsplit("_", 1)[-1])
        self.with_passphrase(self.user, b"correct horse", "register", "--server", self.daemon.server, "--name",
                             self.user.name, "--email", self.user.email, "--pin", self.daemon.pin)

    def test_right_one(self):
        self.with_passphrase(self.user, b"correct horse", "inbox")

    def test_wrong_and_damaged_alike(self):
        wrong = self.with_passphrase(self.user, b"wrong horse", "inbox", expect=4)
        self.assertEqual(wrong.error["code"], "passphrase")
        (vault,) = [path for path in self.user.home.rglob("*vault*") if path.is_file()]
        data = bytearray(vault.read_bytes())
        data[len(data) // 2] ^= 1
        vault.write_bytes(data)
        damaged = self.with_passphrase(self.user, b"correct horse", "inbox", expect=4)
        self.assertEqual(damaged.error, wrong.error)

    def test_no_way_to_ask(self):
        error = self.user.json("inbox", expect=4).error
        self.assertEqual(error["code"], "passphrase")
        self.assertIn("--passphrase-fd", error["hint"])

    def test_nothing_readable(self):
        names = {path: path.read_bytes() for path in self.user.home.rglob("*") if path.is_file()}
        self.assertTrue(names)
        for path in names:
            self.assertEqual(path.stat().st_mode & 0o077, 0, path)


class Transfers(Case):
    settings = {("limits", "min_lifetime"): "1s"}

    def test_unknown_and_foreign_alike(self):
        tid = self.alice.send(self.file(10), to=(self.bob,)).result["id"]
        foreign = self.carol.get(tid, "-o", self.work / "x", expect=3).error
        missing = self.carol.get("0" * 32, "-o", self.work / "x", expect=3).error
        self.assertEqual(foreign["code"], missing["code"])
        self.assertEqual(foreign["message"].replace(tid, "*").replace(tid[:8], "*"),
                         missing["message"].replace("0" * 32, "*").replace("0" * 8, "*"))
        self.assertIn("satchel inbox", missing["hint"])
        self.assertEqual(foreign["hint"], missing["hint"])
        self.assertEqual([path.name for path in self.work.iterdir()], ["file.bin"])

    def test_nobody_of_that_name(self):
        result = self.alice.send(self.file(10), to=("nobody",), expect=3)
        self.assertIn("nobody", result.error["message"])
        self.assertTrue(result.error["hint"])

    def test_expired(self):
        tid = self.alice.send(self.file(10), "--expires", "2s", to=(self.bob,)).result["id"]
        end = time.monotonic() + WAIT
        while time.monotonic() < end:
            result = self.bob.get(tid, "-o", self.work / "x", "--force", expect=None)
            if result.code != 0:
                break
        self.assertEqual((result.code, result.error["code"]), (4, "expired"))

    def test_damaged_on_the_daemon(self):
        """A bit flipped in a stored piece: exit 6 and no file."""
        tid = self.alice.send(self.file(700_000, seed=77), to=(self.bob,)).result["id"]
        self.daemon.stop()
        bodies = max((path for path in self.daemon.data.rglob("*.mdb")), key=lambda path: path.stat().st_size)
        with open(bodies, "r+b") as stream:
            # Every page from the middle of the first piece's run on: whatever they hold is changed.
            size = os.path.getsize(bodies)
            for offset in range(20 * 4096 + 2048, size, 4096):
                stream.seek(offset)
                byte = stream.read(1)
                if byte != b"\0":
                    stream.seek(offset)
                    stream.write(bytes([byte[0] ^ 1]))
        self.daemon.start()
        out = self.folder_of("out")
        result = self.bob.get(tid, "-o", out, expect=6)
        self.assertEqual(result.error["code"], "integrity")
        self.assertEqual(os.listdir(out), [])


class Usage(Case):
    users = ("alice",)
    VERBS = ("register", "whoami", "contacts", "send", "inbox", "get", "sent", "status", "watch", "revoke", "extend", "delete", "doctor")

    def test_help(self):
        top = self.alice.run("--help").text
        for verb in self.VERBS:
            self.assertIn(verb, top)
            self.assertIn(verb, self.alice.run(verb, "--help").text)
            self.assertIn(verb, self.alice.run("--help", verb, expect=None).text)

    def test_help_fits(self):
        """No line of it is broken by a terminal of 80 columns, and no word is lost."""
        verbs = re.findall(r"^  ([a-z]+) +\S", run([program("satchel"), "--help"]).text.split("options,")[0], re.M)
        for words in ([], *([verb] for verb in verbs), ["agent"]):
            shown = run([program("satchel"), "help", *words]).text
            self.assertLessEqual(max(map(len, shown.splitlines())), 80, shown)
        self.assertIn("group [NAME [add|remove WHO... | delete]] | restore]",
                      " ".join(run([program("satchel"), "help", "contacts"]).text.split()))

    def test_version(self):
        for name in ("satchel", "satcheld", "satchelctl"):
            self.assertRegex(run([program(name), "--version"]).text, rf"^{name} \d+\.\d+\.\d+")

    def test_mistakes(self):
        path = self.file(1)
        for args in (["nonsense"], ["send", path], ["send", "--to", "alice"], ["get"], ["inbox", "--nonsense"],
                     ["send", path, "--to", "alice", "--expires", "soon"], ["register"], [],
                     ["status"], ["contacts", "add"]):
            with self.subTest(args=args):
                result = self.alice.run(*args, expect=2)
                self.assertNotEqual(result.err, b"")

    def test_says_what_is_missing(self):
        for args, name in ((("extend", "ab"), "TIME"), (("extend",), "ID"), (("status",), "ID"), (("get",), "ID"),
                           (("send",), "FILE|DIR|-"), (("account",), "delete")):
            refused = run([program("satchel"), "--json", *args], expect=2)
            self.assertEqual(refused.error["message"], f"{args[0]}: {name} is missing")

    def test_says_where_ids_are(self):
        for verb, lists in (("get", ("inbox",)), ("delete", ("inbox", "sent")), ("status", ("inbox", "sent")),
                            ("revoke", ("sent",)), ("extend", ("sent",))):
            with self.subTest(verb=verb):
                hint = run([program("satchel"), "--json", verb], expect=2).error["hint"]
                self.assertIn(f"usage: satchel {verb} ID", hint)
                self.assertEqual({name for name in ("inbox", "sent") if f"'satchel {name}'" in hint}, set(lists))
        hint = run([program("satchel"), "--json", "extend", "ab"], expect=2).error["hint"]  # an ID it has
        self.assertNotIn("sent", hint)

    def test_contacts_count(self):
        for args, message in ((("verify",), "verify: WHO is missing"), (("add",), "add: WHO is missing"),
                              (("rename", "bob"), "rename: NAME is missing"),
                              (("list", "x"), "list: too many arguments"), (("add", "a", "b"), "add: too many arguments")):
            refused = self.alice.json("contacts", *args, expect=2).error
            self.assertEqual(refused["message"], f"contacts {message}")

    def test_completions_know_every_option(self):
        folder = TREE / "deploy" / "completions"
        bash, zsh, fish = ((folder / name).read_text() for name in ("satchel.bash", "_satchel", "satchel.fish"))
        verbs = re.findall(r"^  ([a-z]+) +\S", run([program("satchel"), "--help"]).text.split("options,")[0], re.M)
        self.assertGreater(len(verbs), 20)
        for verb in verbs:
            own = run([program("satchel"), verb, "--help"]).text.split("options of every verb")[0]
            block = re.search(rf"\n    {verb}\)\n(.*?);;", zsh, re.S)
            for option in re.findall(r"^  .{3} --([a-z-]+)", own, re.M):
                with self.subTest(verb=verb, option=option):
                    self.assertRegex(bash, rf"\n *{verb}\) options\+=[^\n]* --{option}\b")
                    self.assertIn(f"--{option}", block.group(1))
                    self.assertRegex(fish, rf"seen_subcommand_from [a-z ]*\b{verb}\b[^\n]* -l {option}\b")

    def test_completion_of_help(self):
        script = TREE / "deploy" / "completions" / "satchel.bash"
        for words, wanted in (("satchel help se", "send sent"), ("satchel he", "help"), ("satchel help pass", "passphrase")):
            said = run(["bash", "-c", f'source {script}; COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); '
                        '_satchel; echo "${COMPREPLY[*]}"'])
            self.assertEqual(said.text.strip(), wanted, words)
        for name in ("_satchel", "satchel.fish"):
            self.assertRegex((script.parent / name).read_text(), r"\baccount help\b")

    def test_nothing_of_a_terminal_in_a_pipe(self):
        shown = self.alice.run("inbox", "--previews")
        self.assertNotIn("\x1b", shown.text + shown.errors)

    def test_no_bar_before_there_is_something_to_count(self):
        path = self.file(1)
        shown = Terminal(self.alice, "send", path, "--to", "nobody-here").end(expect=3)
        self.assertIn("no user 'nobody-here'", shown)
        self.assertNotIn("[....", shown)

    def test_an_end_has_a_time(self):
        path = self.file(1)
        for length in ("2h", "7d"):
            sent = self.alice.run("send", path, "--to", "alice", "--expires", length).text
            self.assertRegex(sent, r"until \d{4}-\d\d-\d\d \d\d:\d\d UTC\n")
        for clock in ("T18:00", "T06:30"):
            end = (datetime.now(timezone.utc) + timedelta(days=5)).strftime("%Y-%m-%d")
            sent = self.alice.run("send", path, "--to", "alice", "--expires", end + clock).text
            self.assertIn(f"until {end} {clock[1:]} UTC\n", sent)

    def test_usage_is_one_line(self):
        for verb in ("contacts", "device", "factor", "keys"):
            with self.subTest(verb=verb):
                error = self.alice.json(verb, "nonsense", expect=2).error
                self.assertIn("'nonsense'", error["message"])
                self.assertNotIn("\n", error["hint"])

    def test_closed_standard_files(self):
        """What came closed is not given to a socket or the vault: a result that cannot be told is an error."""
        env = {**os.environ, "SATCHEL_HOME": str(self.alice.home)}
        for closed, code in (("<&-", 0), (">&-", 1), ("2>&-", 0), ("<&- >&- 2>&-", 1)):
            with self.subTest(closed=closed):
                run(["sh", "-c", f'exec "$0" --json inbox {closed}', program("satchel")], expect=code, env=env)

    def test_without_a_profile(self):
        nobody = User(self.daemon, self.work, "nobody")
        result = nobody.json("inbox", expect=None)
        self.assertNotEqual(result.code, 0)
        self.assertIn(str(nobody.home), result.error["message"])
        self.assertIn("begin with: satchel register; ", result.error["hint"])
        self.assertIn("SATCHEL_HOME", result.error["hint"])
        other = self.alice.json("--profile", "other", "inbox", expect=3).error
        self.assertIn("'other'", other["message"])
        self.assertIn("'satchel profile' lists", other["hint"])

    def test_global_options_anywhere(self):
        elsewhere = User(self.daemon, self.work, "nobody")
        for args in (["--home", self.alice.home, "--json", "whoami"], ["whoami", "--json", "--home", self.alice.home]):
            self.assertEqual(elsewhere.run(*args).result["user_id"], self.alice.uid)

    def test_quiet_is_quiet_in_json(self):
        path = self.file(10)
        self.alice.json("send", path, "--to", "alice")
        objects = self.alice.json("--quiet", "send", path, "--to", "alice").objects
        self.assertEqual([list(item) for item in objects], [["result"]])

    def test_json_ends_with_a_result_or_an_error(self):
        for args in (["whoami"], ["inbox"], ["sent"], ["contacts", "list"], ["doctor"], ["get", "f" * 32]):
            with self.subTest(args=args):
                objects = self.alice.json(*args, expect=None).objects
                self.assertEqual(len({"result", "error"} & objects[-1].keys()), 1)
                self.assertTrue(all("event" in item for item in objects[:-1]))


class Contacts(Case):
    def test_safety_number_is_the_same_for_both(self):
        shown = []
        for user, other in ((self.alice, self.bob), (self.bob, self.alice)):
            user.json("contacts", "add", other.name)
            text = user.run("contacts", "verify", other.name, expect=4)
            digits = re.findall(r"\b\d{5}\b", text.text + text.errors)
            self.assertEqual(len(digits), 12, text)
            shown.append(digits)
        self.assertEqual(*shown)
        wrong = ["00000" if group != "00000" else "00001" for group in shown[0]]
        self.alice.json("contacts", "verify", "bob", "--number", " ".join(wrong), expect=6)
        short = self.alice.json("contacts", "verify", "bob", "--number", " ".join(shown[1][:11]), expect=2)
        self.assertEqual(short.error["message"], "a safety number has 60 digits, not 55")
        self.alice.json("contacts", "verify", "bob", "--number", " ".join(shown[1]) + "1", expect=2)
        self.alice.json("contacts", "verify", "bob", "--number", "x".join(shown[1]), expect=2)
        self.assertTrue(self.alice.json("contacts", "verify", "bob", "--number", " ".join(shown[1])).result["verified"])

    def test_by_user_id(self):
        self.alice.json("contacts", "add", self.carol.uid)
        listed = self.alice.json("contacts", "list")
        self.assertIn(self.carol.uid, listed.text)

    def test_user_id_with_a_typing_error(self):
        uid = self.carol.uid
        wrong = uid[:-1] + ("q" if uid[-1] != "q" else "p")
        refused = self.alice.json("contacts", "add", wrong, expect=2).error
        self.assertIn("mistyped", refused["message"])
        self.assertIn("mistyped", self.alice.send(self.file(1), to=(wrong,), expect=2).error["message"])
