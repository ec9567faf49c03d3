/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/harness.h"

#include <sys/mount.h>
#include <unistd.h>

#include <uv.h>

#include "common/crypto/hash.h"
#include "tests/contract/engine_failing.h"

enum { FAIL_EVERY = 5, TRIES = 50 };

const char *harness_engine = "lmdb";

bool harness_fails(void)
{
    return strcmp(harness_engine, "lmdb") != 0;
}

/* ---- open and close ---- */

void harness_open(struct harness *h)
{
    struct err err = {0};
    int rc;

    h->cfg.path = h->dir;
    if (!harness_fails())
        rc = store_open(&h->store, &h->cfg, &err);
    else
        rc = engine_failing_open(&h->store, &h->cfg, FAIL_EVERY,
                                 strcmp(harness_engine, "lmdb-unknown") == 0, &err);
    if (rc == ERR_OK)
        rc = store_port_open(&h->port, h->store, &h->loop, &err);
    if (rc != ERR_OK)
        fail_msg("cannot open the store: %s", err.msg);
}

static void on_port_closed(void *arg)
{
    *(bool *)arg = true;
}

void harness_close(struct harness *h)
{
    bool closed = false;

    store_result_free(h->last);
    h->last = NULL;
    store_port_close(h->port, on_port_closed, &closed);
    while (!closed)
        (void)uv_run(&h->loop, UV_RUN_ONCE);
    store_close(h->store);
    h->store = NULL;
}

int harness_setup(void **state)
{
    struct harness *h = calloc(1, sizeof(*h));

    if (h == NULL || uv_loop_init(&h->loop) != 0)
        return -1;
    (void)snprintf(h->dir, sizeof(h->dir), "/tmp/satchel-contract-XXXXXX");
    if (mkdtemp(h->dir) == NULL)
        return -1;
    /* Small steps: growth under load happens in every test. */
    h->cfg.step = 1 << 20;
    harness_open(h);
    *state = h;
    return 0;
}

static void remove_env(const char *dir, const char *name)
{
    static const char *const files[] = {"data.mdb", "lock.mdb"};
    char path[160];

    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(path, sizeof(path), "%s/%s/%s", dir, name, files[i]);
        (void)unlink(path);
    }
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    (void)rmdir(path);
}

void harness_remove(struct harness *h)
{
    static const char *const files[] = {"store.lock", "redo"};
    char path[128];

    remove_env(h->dir, "index");
    remove_env(h->dir, "bodies-00");
    remove_env(h->dir, "bodies-01");
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", h->dir, files[i]);
        (void)unlink(path);
    }
    (void)umount2(h->dir, MNT_DETACH); /* a test may have put a small disk there */
}

int harness_teardown(void **state)
{
    struct harness *h = *state;
    int rc;

    if (h->store != NULL)
        harness_close(h);
    rc = uv_loop_close(&h->loop);
    harness_remove(h);
    if (rmdir(h->dir) != 0) /* something is left, which would fill the disk in time */
        rc = -1;
    free(h);
    return rc;
}

/* ---- calls ---- */

struct call {
    struct harness *h;
    struct store_result *res;
    int code;
    bool returned;     /* from the start call */
    bool early, twice; /* callbacks that should not have come */
};

static int start(struct harness *h, enum store_op op, const void *in, store_cb *cb, void *arg)
{
    switch (op) {
#define X(name, writes)                                                                            \
    case STORE_OP_##name:                                                                          \
        return store_##name(h->port, in, cb, arg);
        STORE_OPS(X)
#undef X
    case STORE_OP_COUNT:
        break;
    }
    return ERR_INTERNAL;
}

static void on_result(void *arg, struct store_result *res)
{
    struct call *c = arg;

    c->early |= !c->returned;
    c->twice |= c->res != NULL;
    c->res = res;
}

static bool try_again(int code)
{
    return harness_fails() && (code == ERR_IO || code == ERR_TIMEOUT);
}

/* One attempt; a piece's bytes are copied, so that there can be another. */
static int attempt(struct call *c, enum store_op op, const void *in)
{
    struct store_piece_put piece;
    int rc;

    *c = (struct call){.h = c->h};
    if (op == STORE_OP_piece_put) {
        piece = *(const struct store_piece_put *)in;
        piece.data = malloc(piece.len);
        assert_non_null(piece.data);
        memcpy(piece.data, ((const struct store_piece_put *)in)->data, piece.len);
        in = &piece;
    }
    rc = start(c->h, op, in, on_result, c);
    c->returned = true;
    if (rc != ERR_OK && op == STORE_OP_piece_put)
        free(piece.data);
    while (rc == ERR_OK && c->res == NULL)
        (void)uv_run(&c->h->loop, UV_RUN_ONCE);
    assert_false(c->early || c->twice);
    return rc;
}

int harness_try(struct harness *h, enum store_op op, const void *in)
{
    struct call c = {.h = h};
    int rc = ERR_IO;

    for (int i = 0; i < TRIES; i++) {
        h->repeated = i > 0;
        rc = attempt(&c, op, in);
        if (rc == ERR_OK) {
            rc = c.res->code;
            store_result_free(h->last);
            h->last = c.res;
        }
        if (!try_again(rc))
            break;
    }
    if (op == STORE_OP_piece_put)
        free(((const struct store_piece_put *)in)->data);
    return rc;
}

struct store_result *harness_do(struct harness *h, enum store_op op, const void *in, int code,
                                int again)
{
    int rc = harness_try(h, op, in);

    if (rc != code && (!h->repeated || rc != again))
        fail_msg("%s: got %s, not %s (%s)", store_op_name(op), err_name(rc), err_name(code),
                 h->last != NULL ? h->last->why : "");
    return h->last;
}

static void on_later(void *arg, struct store_result *res)
{
    struct call *c = arg;

    /* A test must not be left from inside the loop: harness_wait() will say it. */
    if (!c->returned)
        (void)snprintf(c->h->complaint, sizeof(c->h->complaint), "called from inside the start");
    else if (res->code != c->code && !try_again(res->code))
        (void)snprintf(c->h->complaint, sizeof(c->h->complaint), "got %s, not %s (%s)",
                       err_name(res->code), err_name(c->code), res->why);
    c->h->pending--;
    store_result_free(res);
    free(c);
}

int harness_later_once(struct harness *h, enum store_op op, const void *in, int code)
{
    struct call *c = calloc(1, sizeof(*c));
    int rc;

    assert_non_null(c);
    c->h = h;
    c->code = code;
    rc = start(h, op, in, on_later, c);
    if (rc != ERR_OK) {
        free(c);
        return rc;
    }
    c->returned = true;
    h->pending++;
    return ERR_OK;
}

void harness_later(struct harness *h, enum store_op op, const void *in, int code)
{
    int rc;

    while ((rc = harness_later_once(h, op, in, code)) == ERR_BUSY)
        (void)uv_run(&h->loop, UV_RUN_ONCE);
    assert_int_equal(rc, ERR_OK);
}

void harness_wait(struct harness *h)
{
    while (h->pending > 0)
        (void)uv_run(&h->loop, UV_RUN_ONCE);
    if (h->complaint[0] != '\0')
        fail_msg("%s", h->complaint);
}

/* ---- things to store ---- */

static void fill(uint8_t *to, size_t len, uint8_t kind, unsigned n)
{
    memset(to, 0, len);
    to[0] = (uint8_t)(n * 157); /* spread over the table */
    to[1] = kind;
    to[4] = (uint8_t)(n >> 24);
    to[5] = (uint8_t)(n >> 16);
    to[6] = (uint8_t)(n >> 8);
    to[7] = (uint8_t)n;
}

void harness_uid(unsigned n, uint8_t uid[STORE_UID_LEN])
{
    fill(uid, STORE_UID_LEN, 'u', n);
}

void harness_user(struct harness *h, unsigned n, uint64_t quota)
{
    char name[32], email[32];
    struct store_user_create in = {.name = name,
                                   .email = email,
                                   .manifest = {(const uint8_t *)"manifest", 8},
                                   .manifest_seq = 1,
                                   .quota = quota,
                                   .now = T0};

    harness_uid(n, in.uid);
    (void)snprintf(name, sizeof(name), "user%u", n);
    (void)snprintf(email, sizeof(email), "user%u@example.org", n);
    (void)DO(h, user_create, &in, ERR_OK);
}

void harness_users(struct harness *h, unsigned n)
{
    for (unsigned i = 1; i <= n; i++)
        harness_user(h, i, HARNESS_QUOTA);
}

void harness_manifest(struct harness *h, unsigned n, uint64_t seq, uint8_t ret[STORE_HASH_LEN])
{
    struct store_manifest_list in = {.from = seq, .limit = 1};
    const struct store_result *res;

    harness_uid(n, in.uid);
    res = DO(h, manifest_list, &in, ERR_OK);
    assert_int_equal(res->count, 1);
    assert_int_equal(res->u.manifests[0].seq, seq);
    assert_int_equal(
        hash_sha256(ret, res->u.manifests[0].bytes.data, res->u.manifests[0].bytes.len), ERR_OK);
}

uint64_t harness_used(struct harness *h, unsigned n)
{
    struct store_user_get in = {.by = STORE_BY_UID};

    harness_uid(n, in.uid);
    return DO(h, user_get, &in, ERR_OK)->u.user.used;
}

uint64_t harness_price(uint64_t len)
{
    return len + strlen("metadata") + STORE_SLOT_COST;
}

static void sample_slot(struct sample *s, size_t i, unsigned n, unsigned user, bool inbox)
{
    struct store_slot_new *slot = &s->slots[i];

    harness_uid(user, slot->uid);
    fill(slot->ek, sizeof(slot->ek), 'e', user);
    fill(slot->instance, sizeof(slot->instance), 'i', 1);
    slot->cell = (uint64_t)n * 10 + i + 1;
    slot->day_cell = 7;
    slot->day = 20000;
    slot->seed = (struct store_blob){(const uint8_t *)"sealed seed", 11};
    slot->inbox = inbox;
    memcpy(s->sealed[i].uid, slot->uid, sizeof(slot->uid));
    memcpy(s->sealed[i].ek, slot->ek, sizeof(slot->ek));
    s->sealed[i].position = (uint32_t)i;
    s->sealed[i].bytes = (struct store_blob){(const uint8_t *)"slot bytes", 10};
}

void harness_sample(struct sample *s, unsigned n, unsigned from, unsigned to)
{
    *s = (struct sample){0};
    fill(s->open.tid, sizeof(s->open.tid), 't', n);
    harness_uid(from, s->open.sender);
    fill(s->open.device, sizeof(s->open.device), 'd', from);
    fill(s->open.idem, sizeof(s->open.idem), 'i', n);
    s->open.now = T0;
    s->open.lease = T0 + 3600000;
    s->open.expires = T0 + 86400000;
    s->open.policy = 5;
    s->open.slots = s->slots;
    s->open.nslots = 2;
    sample_slot(s, 0, n, to, true);
    sample_slot(s, 1, n, from, false);

    memcpy(s->seal.tid, s->open.tid, sizeof(s->seal.tid));
    memcpy(s->seal.sender, s->open.sender, sizeof(s->seal.sender));
    fill(s->seal.cid, sizeof(s->seal.cid), 'c', n);
    (void)snprintf(s->header, sizeof(s->header), "header %u", n);
    s->seal.header = (struct store_blob){(const uint8_t *)s->header, strlen(s->header)};
    s->seal.sig = (struct store_blob){(const uint8_t *)"signature", 9};
    s->seal.meta = (struct store_blob){(const uint8_t *)"metadata", 8};
    s->seal.slot_leaves = (struct store_blob){s->leaves, 2 * STORE_HASH_LEN};
    s->seal.now = T0 + n;
    s->seal.slots = s->sealed;
    s->seal.nslots = 2;
}

void harness_body(struct sample *s, uint64_t len)
{
    s->open.body_max = s->seal.body_len = len;
    s->seal.pieces = (uint32_t)((len + STORE_PIECE_MAX - 1) / STORE_PIECE_MAX);
}

struct store_piece_put harness_piece(const struct sample *s, uint32_t index)
{
    uint64_t begins = (uint64_t)index * STORE_PIECE_MAX;
    uint64_t left = s->open.body_max > begins ? s->open.body_max - begins : 1;
    struct store_piece_put in = {.index = index, .lease = s->open.lease};

    in.len = left < STORE_PIECE_MAX ? (size_t)left : STORE_PIECE_MAX;
    in.data = malloc(in.len);
    assert_non_null(in.data);
    memset(in.data, (uint8_t)(s->open.tid[7] + index), in.len);
    memcpy(in.tid, s->open.tid, sizeof(in.tid));
    memcpy(in.sender, s->open.sender, sizeof(in.sender));
    fill(in.leaf, sizeof(in.leaf), 'l', index);
    return in;
}

void harness_send(struct harness *h, struct sample *s)
{
    struct store_piece_put piece;

    (void)DO(h, upload_open, &s->open, ERR_OK);
    for (uint32_t i = 0; i < s->seal.pieces; i++) {
        piece = harness_piece(s, i);
        (void)DO(h, piece_put, &piece, ERR_OK);
    }
    (void)DO(h, upload_seal, &s->seal, ERR_OK);
}
