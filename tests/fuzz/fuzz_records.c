/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a profile keeps, with contents that its keys open but nobody has
 * checked.  The input: 1 byte, unused, then items of u8 which record, u16
 * length and so many bytes of a message of vault.proto (or of the text file
 * `settings`).  In messages, bytes of length 1 stand for true ones: see truths[].
 *
 * What is loaded is saved, and loaded the same.
 */
#include <string.h>

#include "client/local/contact.h"
#include "client/local/identity.h"
#include "client/local/profile.h"
#include "common/fs.h"
#include "common/transfer/manifest_build.h"
#include "proto/vault.pb-c.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/pb_walk.h"
#include "tests/fuzz/scratch.h"
#include "tests/sample/sample.h"

enum { USERS = 3, LATER = 2, MANIFESTS = USERS + LATER };

enum which { IDENTITY, CHAIN, CONTACT, COUNTER, SEEN, SETTINGS, WHICHES };

static char folder[SCRATCH_PATH];
static struct vault *vault;
static struct sample_user users[USERS];
static struct buf manifests[MANIFESTS]; /* the first of each user, and two more of the first */

/* ---- the profile -------------------------------------------------------------- */

static void end(void)
{
    vault_close(vault);
    scratch_remove(folder);
}

static void make_manifests(void)
{
    struct manifest *later[LATER] = {NULL};
    struct manifest_build_plan plan = {.previous = users[0].first,
                                       .devices = &users[0].device,
                                       .n_devices = 1,
                                       .eks = &users[0].key,
                                       .n_eks = 1};

    for (int i = 0; i < USERS; i++)
        MUST(manifest_pack(users[i].first, &manifests[i], NULL) == ERR_OK);
    for (int i = 0; i < LATER; i++) {
        plan.created = plan.previous->created + 1;
        MUST(manifest_build(&plan, &users[0].isk, &later[i], NULL) == ERR_OK);
        MUST(manifest_pack(later[i], &manifests[USERS + i], NULL) == ERR_OK);
        plan.previous = later[i];
    }
    for (int i = 0; i < LATER; i++)
        manifest_free(later[i]);
}

static void begin(void)
{
    static const char *const names[USERS] = {"alice", "bob", "carol"};
    struct lock *lock = NULL;
    char *path;

    scratch_make(folder);
    scratch_show_secure_heap();
    path = fs_join(folder, "lock");
    MUST(path != NULL && lock_open(path, &lock, NULL) == ERR_OK);
    MUST(lock_take(lock, 0, NULL) == ERR_OK);
    MUST(vault_create(folder, NULL, lock, &vault, NULL) == ERR_OK);
    vault_unlock(vault);
    free(path);
    for (int i = 0; i < USERS; i++)
        sample_user(&users[i], names[i]);
    make_manifests();
    (void)atexit(end);
}

/* ---- what stands for what --------------------------------------------------------- */

static struct part truth_of(const char *field, uint8_t which)
{
    const struct sample_user *u = &users[which % USERS];
    const struct {
        const char *field;
        struct part truth;
    } truths[] = {
        {"user_id", PART_OF(u->uid.b)},
        {"server_id", PART_OF(u->uid.b)},
        {"identity_seed", part_secret(&u->isk)},
        {"device_seed", part_secret(&u->dsk)},
        {"hedge_key", part_secret(&u->rk)},
        {"recovery_seed", part_secret(&u->rk)},
        {"private_key", part_secret(&u->ek)},
        {"manifests", part(manifests[which % MANIFESTS].data, manifests[which % MANIFESTS].len)},
        {"next_manifest",
         part(manifests[which % MANIFESTS].data, manifests[which % MANIFESTS].len)},
    };

    for (size_t i = 0; i < sizeof(truths) / sizeof(truths[0]); i++)
        if (strcmp(truths[i].field, field) == 0)
            return truths[i].truth;
    return part(NULL, 0);
}

static void forge(void *cookie, const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f,
                  void *value)
{
    ProtobufCBinaryData *bytes = value;
    struct part truth;

    (void)cookie;
    (void)m;
    if (f->type != PROTOBUF_C_TYPE_BYTES || bytes->len != 1)
        return;
    truth = truth_of(f->name, bytes->data[0]);
    if (truth.data != NULL)
        pb_set_bytes(bytes, truth);
}

static const struct table {
    const char *name;
    const ProtobufCMessageDescriptor *type;
} tables[] = {
    [IDENTITY] = {"identity", &satchel__vault__identity__descriptor},
    [CHAIN] = {"chain", &satchel__vault__chain__descriptor},
    [CONTACT] = {"contact", &satchel__vault__contact__descriptor},
    [COUNTER] = {"counter", &satchel__vault__counter__descriptor},
    [SEEN] = {"seen", &satchel__vault__seen__descriptor},
};

/* The key of record ${number} of a table. */
static struct part key_of(enum which which, uint8_t number, uint8_t segment[4])
{
    if (which == CONTACT)
        return PART_OF(users[number % USERS].uid.b);
    put_be32(segment, number % 2);
    if (which == SEEN)
        return part(segment, 4);
    return which == COUNTER ? part_str("hedge") : part_str("self");
}

static void put_record(enum which which, uint8_t number, struct part plain)
{
    uint8_t id[VAULT_RECORD_ID_LEN], segment[4];

    MUST(vault_id(vault, tables[which].name, key_of(which, number, segment), id, NULL) == ERR_OK);
    MUST(vault_put(vault, tables[which].name, id, plain, NULL) == ERR_OK);
}

static void remove_record(enum which which, uint8_t number)
{
    uint8_t id[VAULT_RECORD_ID_LEN], segment[4];

    MUST(vault_id(vault, tables[which].name, key_of(which, number, segment), id, NULL) == ERR_OK);
    MUST(vault_delete(vault, tables[which].name, id, NULL) == ERR_OK);
}

static void clear(void)
{
    char *path = fs_join(folder, "settings");

    for (int which = IDENTITY; which < SETTINGS; which++)
        for (uint8_t i = 0; i < (which == CONTACT ? USERS : which == SEEN ? 2 : 1); i++)
            remove_record((enum which)which, i);
    MUST(path != NULL);
    (void)remove(path);
    free(path);
}

static void put(uint8_t what, struct part plain)
{
    enum which which = what % WHICHES;
    ProtobufCMessage *m;
    uint8_t *raw;
    size_t len = 0;

    if (which == SETTINGS) {
        char *path = fs_join(folder, "settings");

        MUST(path != NULL && fs_replace(path, plain.data, plain.len, 0600, NULL) == ERR_OK);
        free(path);
        return;
    }
    m = protobuf_c_message_unpack(tables[which].type, NULL, plain.len, part_bytes(plain));
    if (m == NULL) {
        put_record(which, what / WHICHES, plain);
        return;
    }
    pb_walk(m, forge, NULL);
    raw = pb_pack(m, &len);
    put_record(which, what / WHICHES, part(raw, len));
    free(raw);
    protobuf_c_message_free_unpacked(m, NULL);
}

/* ---- what becomes of it ------------------------------------------------------------- */

static void is_refusal(int rc)
{
    MUST(rc == ERR_NOTFOUND || rc == ERR_CORRUPT || rc == ERR_UNSUPPORTED || rc == ERR_PROTO ||
         rc == ERR_LIMIT || rc == ERR_NOMEM);
}

static void use_identity(void)
{
    struct identity *id = NULL, *again = NULL;
    int rc = identity_load(vault, &id, NULL);

    if (rc != ERR_OK) {
        is_refusal(rc);
        return;
    }
    MUST(id->n_keys > 0 && id->n_keys <= IDENTITY_KEYS_MAX && id->chain.n > 0);
    for (size_t i = 0; i < id->n_keys; i++)
        MUST(identity_ek(id, &id->keys[i].id) != NULL);
    (void)identity_due(id, SAMPLE_TIME);
    MUST(identity_save(id, vault, NULL) == ERR_OK);
    MUST(identity_load(vault, &again, NULL) == ERR_OK);
    MUST(again->n_keys == id->n_keys && again->chain.n == id->chain.n);
    MUST(strcmp(again->username, id->username) == 0 && strcmp(again->uid_text, id->uid_text) == 0);
    identity_unref(id);
    identity_unref(again);
}

static void use_contact(const struct uid *uid)
{
    struct contact c = {0}, again = {0};
    int rc = contact_load(vault, uid, &c, NULL);

    if (rc != ERR_OK) {
        is_refusal(rc);
        return;
    }
    MUST(c.chain.n > 0 && memcmp(&c.chain.uid, uid, sizeof(*uid)) == 0);
    MUST(contact_save(vault, &c, NULL) == ERR_OK);
    MUST(contact_load(vault, uid, &again, NULL) == ERR_OK);
    MUST(again.chain.n == c.chain.n && strcmp(again.name, c.name) == 0);
    contact_free(&c);
    contact_free(&again);
}

static int on_contact(void *cookie, const struct contact *c, const struct manifest *newest,
                      struct err *err)
{
    (void)err;
    MUST(newest != NULL && strlen(c->name) < CONTACT_NAME_SIZE);
    return ++*(unsigned *)cookie <= USERS ? ERR_OK : ERR_INTERNAL;
}

static void use_contacts(void)
{
    struct uid uid;
    unsigned n = 0;
    int rc = contact_each(vault, on_contact, &n, NULL);

    MUST(rc != ERR_INTERNAL);
    rc = contact_find(vault, "alice", &uid, NULL);
    if (rc != ERR_OK)
        is_refusal(rc);
    for (int i = 0; i < USERS; i++)
        use_contact(&users[i].uid);
}

static void use_counter(void)
{
    struct secret drawn = {0};
    struct hedge *h = NULL;
    int rc;

    MUST(hedge_new(vault, &users[0].isk, false, &h, NULL) == ERR_OK);
    rc = hedge_draw(h, "fuzz", part(NULL, 0), &drawn, NULL);
    if (rc != ERR_OK)
        is_refusal(rc);
    MUST((rc == ERR_OK) == (drawn.data != NULL));
    secret_free(&drawn);
    hedge_free(h);
}

static void use_seen(void)
{
    struct seen_entry e = {.sender = users[0].uid, .until = SAMPLE_TIME}, found = e;
    struct seen *s = NULL;
    int rc;

    MUST(seen_new(vault, &s, NULL) == ERR_OK);
    rc = seen_refresh(s, NULL);
    if (rc == ERR_OK)
        rc = seen_add(s, &e, 1, SAMPLE_TIME, NULL);
    if (rc == ERR_OK) {
        MUST(seen_find(s, &found, NULL) == ERR_OK);
        MUST(memcmp(&found.header, &e.header, sizeof(e.header)) == 0);
    } else {
        MUST(rc == ERR_CORRUPT || rc == ERR_INTEGRITY);
    }
    seen_free(s);
}

static void use_settings(void)
{
    struct settings s = {0}, again = {0};
    int rc = settings_read(folder, &s, NULL);

    if (rc != ERR_OK) {
        is_refusal(rc);
        return;
    }
    MUST(settings_write(folder, &s, NULL) == ERR_OK);
    MUST(settings_read(folder, &again, NULL) == ERR_OK);
    MUST(s.state == again.state && strcmp(s.server, again.server) == 0);
    MUST(strcmp(s.username, again.username) == 0 && strcmp(s.user_id, again.user_id) == 0);
    settings_free(&s);
    settings_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rd r = rd_make(data, size);

    if (vault == NULL)
        begin();
    clear();
    (void)rd_u8(&r);
    while (r.left >= 3) {
        uint8_t what = rd_u8(&r);
        size_t len = rd_u16(&r);

        len = len < r.left ? len : r.left;
        put(what, part(rd_take(&r, len), len));
    }
    use_identity();
    use_contacts();
    use_counter();
    use_seen();
    use_settings();
    return 0;
}
