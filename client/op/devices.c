/* SPDX-License-Identifier: Apache-2.0 */
/* satchel/account.h: the lists are the identity's; a change is the next manifest (publish.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/op/publish.h"
#include "common/crypto/hex.h"

enum { PREFIX_MIN = 4 };

static int opened(const struct satchel *s, struct err *err)
{
    return s->profile != NULL ? ERR_OK : err_set(err, ERR_BADSTATE, "no profile is open");
}

/* ---- lists ---- */

static struct satchel_key show_key(const struct identity *id, size_t i)
{
    const struct identity_key *k = &id->keys[i];
    struct satchel_key out = {
        .begins = k->not_before, .ends = k->not_after, .newest = i + 1 == id->n_keys};

    hex_encode(out.id, k->id.b, sizeof(k->id.b));
    return out;
}

static struct satchel_device show_device(const struct identity *id, const struct manifest_device *d)
{
    struct satchel_device out = {.added = d->added,
                                 .revoked = d->revoked,
                                 .self = memcmp(&d->id, &id->device, sizeof(d->id)) == 0};

    hex_encode(out.id, d->id.b, sizeof(d->id.b));
    (void)snprintf(out.name, sizeof(out.name), "%s", identity_name(id, &d->id));
    return out;
}

int satchel_key_list(struct satchel *s, void (*each)(void *cookie, const struct satchel_key *k),
                     void *cookie, struct satchel_error *error)
{
    struct err err = {0};
    int rc = opened(s, &err);

    for (size_t i = 0; rc == ERR_OK && i < s->profile->id->n_keys; i++) {
        struct satchel_key k = show_key(s->profile->id, i);

        each(cookie, &k);
    }
    return rc == ERR_OK ? SATCHEL_OK : handle_error(error, &err);
}

int satchel_device_list(struct satchel *s,
                        void (*each)(void *cookie, const struct satchel_device *d), void *cookie,
                        struct satchel_error *error)
{
    const struct manifest *newest;
    struct err err = {0};
    int rc = opened(s, &err);

    newest = rc == ERR_OK ? chain_newest(&s->profile->id->chain) : NULL;
    for (size_t i = 0; rc == ERR_OK && i < newest->n_devices; i++) {
        struct satchel_device d = show_device(s->profile->id, &newest->devices[i]);

        each(cookie, &d);
    }
    return rc == ERR_OK ? SATCHEL_OK : handle_error(error, &err);
}

/* ---- rotating ---- */

struct rotating {
    struct satchel_op op;
    struct publish publish;
    struct satchel_key key;
    void (*done)(void *cookie, const struct satchel_error *err, const struct satchel_key *k);
};

static void rotated(struct publish *p)
{
    struct rotating *r = (struct rotating *)p->op;

    r->key = show_key(r->op.id, r->op.id->n_keys - 1);
    op_end(p->op, NULL);
}

static void begin_rotating(struct satchel_op *op)
{
    struct rotating *r = (struct rotating *)op;

    r->publish = (struct publish){.op = op, .done = rotated};
    publish_start(&r->publish);
}

static void finish_rotating(struct satchel_op *op, const struct satchel_error *err)
{
    struct rotating *r = (struct rotating *)op;

    r->done(op->done_cookie, err, err == NULL ? &r->key : NULL);
}

static void free_rotating(struct satchel_op *op)
{
    publish_free(&((struct rotating *)op)->publish);
    free(op);
}

int satchel_keys_rotate_start(struct satchel *s, const struct satchel_keys_rotate_options *o,
                              struct satchel_op **ret_op, struct satchel_error *error)
{
    static const struct op_kind kind = {.need = LINK_NEED_READY,
                                        .begin = begin_rotating,
                                        .finish = finish_rotating,
                                        .free = free_rotating};
    struct rotating *r = calloc(1, sizeof(*r));

    if (r == NULL)
        return op_no_memory(error);
    r->done = o->done;
    return op_start(&r->op, s, &kind, o->cookie, ret_op, error);
}

/* ---- revoking ---- */

struct revoking {
    struct satchel_op op;
    char prefix[SATCHEL_ID_SIZE];
    bool last_too;
    struct publish publish;
    struct device_id device;
    struct satchel_device shown;
    void (*done)(void *cookie, const struct satchel_error *err, const struct satchel_device *d);
};

static void revoked(struct publish *p)
{
    struct revoking *r = (struct revoking *)p->op;
    const struct identity *id = r->op.id;

    r->shown = show_device(id, manifest_device(chain_newest(&id->chain), &r->device));
    op_end(p->op, NULL);
}

/* The one device whose ID begins so; others that are in use. */
static int find_device(const struct revoking *r, const struct manifest *m, struct device_id *ret,
                       size_t *ret_others, struct err *err)
{
    size_t found = 0, others = 0;

    for (size_t i = 0; i < m->n_devices; i++) {
        struct satchel_device d = show_device(r->op.id, &m->devices[i]);

        if (strncmp(d.id, r->prefix, strlen(r->prefix)) == 0) {
            *ret = m->devices[i].id;
            found++;
        } else {
            others += d.revoked == 0;
        }
    }
    *ret_others = others;
    if (found == 1)
        return ERR_OK;
    return found == 0 ? err_set(err, ERR_NOTFOUND, "no device '%s'", r->prefix)
                      : err_set(err, ERR_INVALID, "several devices begin with '%s'", r->prefix);
}

static void begin_revoking(struct satchel_op *op)
{
    struct revoking *r = (struct revoking *)op;
    struct err err = {0};
    size_t others = 0;
    int rc = find_device(r, chain_newest(&op->id->chain), &r->device, &others, &err);

    if (rc == ERR_OK && others == 0 && !r->last_too) {
        rc = err_set(&err, ERR_REFUSED, "'%s' is your last device", r->prefix);
        err_hint(&err, "without it only the recovery words lead back to this account");
    }
    if (rc != ERR_OK) {
        op_end(op, &err);
        return;
    }
    r->publish = (struct publish){.op = op, .change.revoke = &r->device, .done = revoked};
    publish_start(&r->publish);
}

static void finish_revoking(struct satchel_op *op, const struct satchel_error *err)
{
    struct revoking *r = (struct revoking *)op;

    r->done(op->done_cookie, err, err == NULL ? &r->shown : NULL);
}

static void free_revoking(struct satchel_op *op)
{
    publish_free(&((struct revoking *)op)->publish);
    free(op);
}

int satchel_device_revoke_start(struct satchel *s, const struct satchel_device_revoke_options *o,
                                struct satchel_op **ret_op, struct satchel_error *error)
{
    static const struct op_kind kind = {.need = LINK_NEED_READY,
                                        .begin = begin_revoking,
                                        .finish = finish_revoking,
                                        .free = free_revoking};
    size_t len = o->id != NULL ? strlen(o->id) : 0;
    struct revoking *r;
    struct err err = {0};

    if (len < PREFIX_MIN || len >= SATCHEL_ID_SIZE || strspn(o->id, "0123456789abcdef") != len) {
        (void)err_set(&err, ERR_INVALID, "a device's ID has %d to %d hex digits", PREFIX_MIN,
                      SATCHEL_ID_SIZE - 1);
        return handle_error(error, &err);
    }
    r = calloc(1, sizeof(*r));
    if (r == NULL)
        return op_no_memory(error);
    memcpy(r->prefix, o->id, len);
    r->last_too = o->last_too;
    r->done = o->done;
    return op_start(&r->op, s, &kind, o->cookie, ret_op, error);
}
