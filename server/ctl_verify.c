/* SPDX-License-Identifier: Apache-2.0 */
/* verify: walk all transfers, a few at a time, while the daemon serves. */
#include <string.h>

#include "common/crypto/hex.h"
#include "server/ctl_cmd.h"
#include "server/daemon.h"

enum { TRANSFERS_AT_ONCE = 4, FAULTS_MAX = 1000, EVENT_EVERY_MS = 500 };

struct walk {
    uint64_t transfers, pieces, faults, told;
};

static void walk_from(struct ctl_client *cl, const uint8_t *cursor);

static void send_fault(struct ctl_client *cl, const struct store_fault *f)
{
    char tid[2 * STORE_TID_LEN + 1];
    json_t *item;

    hex_encode(tid, f->tid, sizeof(f->tid));
    item = json_pack("{s:s,s:s}", "id", tid, "what", f->what);
    if (item != NULL && f->piece != STORE_NO_PIECE)
        (void)json_object_set_new(item, "piece", json_integer(f->piece));
    ctl_client_item(cl, item);
}

static json_t *totals(const struct walk *w)
{
    return json_pack("{s:I,s:I,s:I}", "transfers", (json_int_t)w->transfers, "pieces",
                     (json_int_t)w->pieces, "faults", (json_int_t)w->faults);
}

static void tell_progress(struct ctl_client *cl, struct walk *w)
{
    uint64_t now = uv_now(ctl_client_daemon(cl)->loop);
    json_t *event;

    if (now - w->told < EVENT_EVERY_MS)
        return;
    w->told = now;
    event = totals(w);
    if (event != NULL)
        (void)json_object_set_new(event, "event", json_string("progress"));
    ctl_client_event(cl, event);
}

static void on_walked(struct ctl_client *cl, struct store_result *res)
{
    struct walk *w = ctl_client_data(cl, sizeof(*w));

    if (res->code != ERR_OK) {
        ctl_client_error(cl, res->code, "%s", err_text(res->code));
        return;
    }
    w->transfers += res->u.verify.transfers;
    w->pieces += res->u.verify.pieces;
    for (size_t i = 0; i < res->count; i++)
        if (w->faults++ < FAULTS_MAX)
            send_fault(cl, &res->u.verify.faults[i]);
    if (!res->more) {
        ctl_client_result(cl, totals(w));
        return;
    }
    tell_progress(cl, w);
    walk_from(cl, res->cursor);
}

static void walk_from(struct ctl_client *cl, const uint8_t *cursor)
{
    struct store_verify in = {.cursor = cursor, .limit = TRANSFERS_AT_ONCE};

    ctl_client_store(cl, store_verify(ctl_client_daemon(cl)->port, &in, ctl_client_on_store, cl),
                     on_walked);
}

void ctl_cmd_verify(struct ctl_client *cl)
{
    if (ctl_client_data(cl, sizeof(struct walk)) == NULL)
        ctl_client_error(cl, ERR_NOMEM, "out of memory");
    else
        walk_from(cl, NULL);
}
