/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SetBlock: somebody from whom the caller wants nothing more, or again wants
 * something.  Whether there is such a user is not looked at: the answer would
 * tell of users who have blocked the caller.
 */
#include <string.h>

#include "server/conn.h"
#include "server/daemon.h"
#include "server/req.h"

static void on_set(struct call *c)
{
    if (c->res->code == ERR_OK)
        call_done(c);
    else if (c->res->code == ERR_TOOLARGE)
        call_error(c, ERR_TOOLARGE, "%d senders are blocked already", STORE_BLOCKS_MAX);
    else
        call_failed(c);
}

void req_set_block(struct call *c)
{
    const Satchel__SetBlock *msg = c->msg->set_block;
    struct store_block_set in = {.blocked = msg->blocked, .now = daemon_time()};

    if (!call_take(c, &msg->user_id, "user_id", in.from, sizeof(in.from)))
        return;
    memcpy(in.uid, c->conn->uid.b, sizeof(in.uid));
    if (memcmp(in.uid, in.from, sizeof(in.uid)) == 0)
        call_error(c, ERR_INVALID, "user_id is the caller's");
    else
        call_store(c, store_block_set(c->d->port, &in, call_on_store, c), req_set_block, on_set);
}
