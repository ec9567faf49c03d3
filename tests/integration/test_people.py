# SPDX-License-Identifier: Apache-2.0
"""Contacts: names, groups, blocked senders."""
from harness import Case


class People(Case):
    users = ("alice", "bob", "carol", "dave")

    def contact(self, user, name):
        rows = user.json("contacts", "list").result["contacts"]
        return next(row for row in rows if row["name"] == name)

    def test_names(self):
        self.alice.json("contacts", "add", "carol")
        self.alice.json("contacts", "rename", "carol", "Carol from work")
        row = self.contact(self.alice, "Carol from work")
        self.assertEqual((row["username"], row["user_id"]), ("carol", self.carol.uid))
        self.assertEqual(self.alice.json("contacts", "rename", "nobody", "x", expect=3).error["code"], "notfound")
        self.alice.json("contacts", "rename", "carol", "a,b", expect=2)
        self.alice.json("contacts", "rename", "carol", expect=2)
        self.alice.json("contacts", "add", "dave")
        self.assertEqual(self.alice.json("contacts", "rename", "carol", "dave", expect=4).error["code"], "exists")
        self.deliver(self.alice, self.file(1000), [self.carol])
        self.alice.json("contacts", "remove", "Carol from work")
        self.alice.json("contacts", "remove", "dave")

    def test_addresses(self):
        self.dave.json("contacts", "add", "nobody@example.org", expect=3)
        self.dave.json("contacts", "add", "@example.org", expect=2)
        tid = self.dave.send(self.file(300), to=["Carol@Example.org"])
        self.assertEqual(tid.result["recipients"], 1)
        told = [item["message"] for item in tid.objects if item.get("event") == "pinned"]
        self.assertTrue(any("does not check addresses" in text for text in told), told)
        self.carol.get(tid.result["id"], "-o", self.folder_of("carol"))
        self.assertEqual(self.contact(self.dave, "carol")["user_id"], self.carol.uid)
        # From now on the address is his whom it has led to, under any name.
        self.dave.json("contacts", "rename", "carol@example.org", "Caro")
        again = self.dave.send(self.file(300), to=["carol@example.org"])
        self.assertFalse([item for item in again.objects if item.get("event") == "pinned"])
        # One's own.
        own = self.dave.send(self.file(200), to=["dave@example.org"]).result
        self.assertIn(own["id"], [row["id"] for row in self.dave.inbox()])
        # A contact's name goes before an address that is the same.
        self.dave.json("contacts", "add", "alice")
        self.dave.json("contacts", "rename", "alice", "bob@example.org")
        tid = self.dave.send(self.file(300), to=["bob@example.org"]).result["id"]
        self.alice.get(tid, "-o", self.folder_of("alice"))
        self.dave.json("contacts", "remove", "alice")
        self.dave.json("contacts", "remove", "Caro")

    def test_groups(self):
        for name in ("bob", "carol"):
            self.alice.json("contacts", "add", name)
        self.assertEqual(self.alice.json("contacts", "group").result, {"groups": []})
        self.alice.json("contacts", "group", "team", "add", "bob", "carol")
        self.assertEqual(self.alice.json("contacts", "group", "team").result,
                         {"groups": [{"name": "team", "members": ["bob", "carol"]}]})
        sent = self.alice.send(self.file(5000), to=["team", "dave", "bob"]).result
        self.assertEqual(sent["recipients"], 3)
        for user in (self.bob, self.carol, self.dave):
            user.get(sent["id"], "-o", self.folder_of(user.name))
        # All or none: dave is pinned since the send, eve is nobody.
        self.assertEqual(self.alice.json("contacts", "group", "team", "add", "dave", "eve", expect=3).error["code"],
                         "notfound")
        self.assertEqual(len(self.alice.json("contacts", "group", "team").result["groups"][0]["members"]), 2)
        refused = self.alice.json("contacts", "group", "team", "remove", "ghost", expect=3).error
        self.assertIn("'satchel contacts group team' lists", refused["hint"])
        self.alice.json("contacts", "group", "team", "remove", "dave", expect=3)
        self.alice.json("contacts", "group", "bob", "add", "carol", expect=4)  # a contact has the name
        self.alice.json("contacts", "rename", "bob", "team", expect=4)
        self.alice.json("contacts", "group", "team", "juggle", "bob", expect=2)
        self.alice.json("contacts", "group", "nobody", expect=3)
        # Who is forgotten leaves; a group with nobody in it keeps its name, until it is deleted.
        self.alice.json("contacts", "remove", "carol")
        self.assertEqual(self.alice.json("contacts", "group", "team").result["groups"][0]["members"], ["bob"])
        self.alice.json("contacts", "group", "team", "remove", "bob")
        self.assertEqual(self.alice.json("contacts", "group", "team").result["groups"][0]["members"], [])
        refused = self.alice.send(self.file(10), to=["team"], expect=3).error
        self.assertEqual((refused["code"], refused["message"]), ("notfound", "the group 'team' has nobody in it"))
        self.alice.json("contacts", "group", "team", "delete", "bob", expect=2)
        self.alice.json("contacts", "group", "team", "delete")
        self.alice.json("contacts", "group", "team", "delete", expect=3)
        self.alice.json("contacts", "group", "team", expect=3)
        self.assertEqual(self.alice.send(self.file(10), to=["team"], expect=3).error["code"], "notfound")

    def test_nobody_left(self):
        """Whoever is called like a group that is empty is not sent what the group is sent."""
        self.alice.json("contacts", "add", "bob")
        self.alice.json("contacts", "group", "dave", "add", "bob")
        self.alice.json("contacts", "group", "dave", "remove", "bob")
        self.assertEqual(self.alice.send(self.file(10), to=["dave"], expect=3).error["code"], "notfound")
        self.alice.json("contacts", "group", "dave", "delete")

    def test_oneself_among_others(self):
        sent = self.alice.send(self.file(100), to=[self.alice, self.bob]).result
        self.assertEqual(sent["recipients"], 2)

        def counted(user, folder):
            rows = user.json(folder).result["transfers"]
            return [row["recipients"] for row in rows if row["id"] == sent["id"]]

        self.assertEqual(counted(self.alice, "sent"), [2])
        self.assertEqual(counted(self.alice, "inbox"), [2])
        self.assertEqual(counted(self.bob, "inbox"), [1])  # whose slot is whose is not told to him
        alone = self.alice.send(self.file(100), to=[self.alice]).result["id"]
        self.assertIn(1, [row["recipients"] for row in self.alice.inbox() if row["id"] == alone])

    def test_blocked(self):
        before = self.dave.send(self.file(100, "before"), to=[self.bob]).result["id"]
        self.bob.json("inbox")
        blocked = self.bob.json("contacts", "block", "dave").result
        self.assertTrue(blocked["blocked"])
        self.assertTrue(self.contact(self.bob, "dave")["blocked"])
        self.assertNotIn(before, [row["id"] for row in self.bob.inbox()])
        self.assertIn("not shown", self.bob.run("inbox").errors)
        # As if bob were no user of the server; one who never was looks the same.
        gone = self.dave.send(self.file(100), to=[self.bob], expect=3).error
        never = self.dave.send(self.file(100), to=["zoe"], expect=3).error
        self.assertEqual(gone["code"], never["code"])
        self.assertEqual(gone["message"].replace("bob", "zoe"), never["message"])
        self.deliver(self.alice, self.file(100), [self.bob])
        self.bob.json("contacts", "remove", "dave", expect=4)
        self.assertFalse(self.bob.json("contacts", "unblock", "dave").result["blocked"])
        self.deliver(self.dave, self.file(200), [self.bob])
        self.bob.json("contacts", "block", "bob", expect=2)
        self.bob.json("contacts", "block", "nobody", expect=3)
