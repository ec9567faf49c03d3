/* SPDX-License-Identifier: Apache-2.0 */
/* FindTransfers: the caller's transfers whose ID begins with some hex digits. */
#include <string.h>

#include "server/conn.h"
#include "server/daemon.h"
#include "server/req.h"

enum { SEARCH = 64 /* what one costs, in requests */ };

static Satchel__Role role_of(unsigned views)
{
    if (views == (STORE_VIEW_INBOX | STORE_VIEW_SENT))
        return SATCHEL__ROLE__BOTH;
    return views == STORE_VIEW_SENT ? SATCHEL__ROLE__SENDER : SATCHEL__ROLE__RECIPIENT;
}

static void on_found(struct call *c)
{
    Satchel__Envelope env = SATCHEL__ENVELOPE__INIT;
    Satchel__FindReply reply = SATCHEL__FIND_REPLY__INIT;
    Satchel__Found found[STORE_FIND_MAX], *list[STORE_FIND_MAX];

    if (c->res->code != ERR_OK) {
        call_failed(c);
        return;
    }
    for (size_t i = 0; i < c->res->count && i < STORE_FIND_MAX; i++) {
        const struct store_found *row = &c->res->u.found[i];

        satchel__found__init(&found[i]);
        found[i].tid = (ProtobufCBinaryData){STORE_TID_LEN, (uint8_t *)(uintptr_t)row->tid};
        found[i].role = role_of(row->views);
        list[i] = &found[i];
        reply.n_found++;
    }
    reply.found = list;
    env.body_case = SATCHEL__ENVELOPE__BODY_FIND_REPLY;
    env.find_reply = &reply;
    call_reply(c, &env);
}

/* Lower-case hex digits into half bytes. */
static bool read_prefix(const char *text, struct store_mail_find *in)
{
    static const char digits[] = "0123456789abcdef";
    size_t len = strlen(text);

    if (len < 1 || len > 2 * STORE_TID_LEN)
        return false;
    for (size_t i = 0; i < len; i++) {
        const char *at = strchr(digits, text[i]);

        if (at == NULL)
            return false;
        in->prefix[i / 2] |= (uint8_t)((at - digits) << (i % 2 == 0 ? 4 : 0));
    }
    in->digits = (unsigned)len;
    return true;
}

static void ask(struct call *c)
{
    struct store_mail_find in = {.limit = STORE_FIND_MAX};

    (void)read_prefix(c->msg->find_transfers->prefix, &in); /* it was looked at */
    memcpy(in.uid, c->conn->uid.b, sizeof(in.uid));
    call_store(c, store_mail_find(c->d->port, &in, call_on_store, c), ask, on_found);
}

/* The newest rows of both boxes are walked, unless all digits are there. */
static void pay(struct call *c)
{
    bool whole = strlen(c->msg->find_transfers->prefix) == 2 * STORE_TID_LEN;

    if (whole || call_pays(c, SEARCH, pay))
        ask(c);
}

void req_find(struct call *c)
{
    struct store_mail_find in = {0};

    if (read_prefix(c->msg->find_transfers->prefix, &in))
        pay(c);
    else
        call_error(c, ERR_INVALID, "prefix is not 1 to 32 lower-case hex digits");
}
