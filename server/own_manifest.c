/* SPDX-License-Identifier: Apache-2.0 */
#include "server/own_manifest.h"

#include <string.h>

#include "server/daemon.h"

enum { PAGE = 16 };

int own_manifest_check(const struct own_manifest *o, const struct device_id *device, uint64_t at,
                       struct err *err)
{
    const struct manifest_device *found = NULL;

    if (manifest_device_at(o->m, device, at, &found, NULL) != ERR_OK)
        return err_set(err, ERR_INVALID, "%s: device is not one of the manifest", o->what);
    return ERR_OK;
}

/* Hashing is cheap, checking a manifest's signatures is not. */
static bool has_hash(struct part raw, const struct hash32 *hash)
{
    uint8_t sig[SIGNED_SIG_LEN];
    struct hash32 found;
    struct buf body = {0};
    bool same = signed_unpack(raw, MANIFEST_MAX, &body, sig, NULL) == ERR_OK &&
                manifest_hash(part(body.data, body.len), &found) == ERR_OK &&
                memcmp(found.b, hash->b, sizeof(found.b)) == 0;

    buf_free(&body);
    return same;
}

/* The manifest with this hash among those of this page; NULL: none. */
static struct manifest *find_in_page(const struct store_result *res, const struct hash32 *hash)
{
    struct manifest *m = NULL;

    for (size_t i = res->count; i-- > 0 && m == NULL;) {
        struct part raw = part(res->u.manifests[i].bytes.data, res->u.manifests[i].bytes.len);

        if (has_hash(raw, hash) && manifest_parse_signed(raw, &m, NULL) != ERR_OK)
            break; /* a damaged row */
    }
    return m;
}

static void get_page(struct call *c);

/* Further back; it is work that a user could ask for without end. */
static void go_back(struct call *c)
{
    struct own_manifest *o = c->data;
    uint64_t wait = daemon_charge(c->d, DAEMON_LOOKUPS, o->uid.b, sizeof(o->uid.b));

    if (wait > 0) {
        call_later(c, ERR_RATE, wait);
        return;
    }
    o->next -= o->next > PAGE ? PAGE : o->next - 1;
    get_page(c);
}

static void on_page(struct call *c)
{
    struct own_manifest *o = c->data;

    if (c->res->code != ERR_OK) {
        call_failed(c);
        return;
    }
    o->m = find_in_page(c->res, &o->hash);
    if (o->m != NULL) {
        o->then(c);
    } else if (o->next > 1) {
        go_back(c);
    } else {
        call_error(c, ERR_INVALID, "%s: manifest is not one of the signer's", o->what);
    }
}

static void get_page(struct call *c)
{
    const struct own_manifest *o = c->data;
    struct store_manifest_list in = {.from = o->next, .limit = PAGE};

    memcpy(in.uid, o->uid.b, sizeof(in.uid));
    call_store(c, store_manifest_list(c->d->port, &in, call_on_store, c), get_page, on_page);
}

static void on_user(struct call *c)
{
    struct own_manifest *o = c->data;
    uint64_t newest = c->res->u.user.manifest_seq;

    if (c->res->code != ERR_OK) {
        call_failed(c);
        return;
    }
    o->next = newest >= PAGE ? newest - PAGE + 1 : 1;
    get_page(c);
}

void own_manifest_find(struct call *c)
{
    const struct own_manifest *o = c->data;
    struct store_user_get in = {.by = STORE_BY_UID};

    memcpy(in.uid, o->uid.b, sizeof(in.uid));
    call_store(c, store_user_get(c->d->port, &in, call_on_store, c), own_manifest_find, on_user);
}
