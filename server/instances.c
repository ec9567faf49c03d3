/* SPDX-License-Identifier: Apache-2.0 */
#include "server/instances.h"

#include <string.h>

#include "common/log.h"
#include "server/daemon.h"

static void walk_from(struct instances *in, const uint8_t *cursor);

static void end(struct instances *in, int code)
{
    in->code = code;
    in->cb(in->arg);
}

/* ---- 3: those that can go ---- */

static void drop_next(struct instances *in);

static void on_dropped(void *arg)
{
    struct instances *in = arg;

    if (in->job->code != ERR_OK)
        log_event(LOG_AT_ERROR, "instance_not_removed", log_code(in->job->code),
                  log_why(&in->list.err));
    drop_next(in);
}

static void drop_next(struct instances *in)
{
    while (in->drop && in->at-- > 0) {
        const struct shares_instance *item = &in->list.items[in->at];
        int rc;

        if (item->state != SHARES_OLD || !item->idle || in->slots[in->at] > 0)
            continue;
        in->job->items[0].instance = item->id;
        rc = shares_drop(in->d->shares, in->job, on_dropped, in);
        if (rc == ERR_OK)
            return;
    }
    end(in, ERR_OK);
}

/* ---- 2: who needs them ---- */

static void add(struct instances *in, const struct store_instance_use *use)
{
    for (size_t i = 0; i < in->list.n; i++)
        if (memcmp(in->list.items[i].id.b, use->instance, STORE_INSTANCE_LEN) == 0)
            in->slots[i] += use->slots;
}

static void on_page(void *arg, struct store_result *res)
{
    struct instances *in = arg;
    bool more = res->more;
    int code = res->code;
    uint8_t cursor[STORE_TID_LEN];

    for (size_t i = 0; code == ERR_OK && i < res->count; i++)
        add(in, &res->u.instances[i]);
    memcpy(cursor, res->cursor, sizeof(cursor));
    store_result_free(res);
    if (code == ERR_OK && daemon_draining(in->d))
        code = ERR_CLOSED;
    if (code != ERR_OK)
        end(in, code);
    else if (more)
        walk_from(in, cursor);
    else
        drop_next(in);
}

static void walk_from(struct instances *in, const uint8_t *cursor)
{
    struct store_instances q = {.cursor = cursor};
    int rc = store_instances(in->d->port, &q, on_page, in);

    if (rc != ERR_OK)
        end(in, rc);
}

/* ---- 1: which there are ---- */

static void on_list(void *arg)
{
    struct instances *in = arg;

    in->at = in->list.n;
    if (in->job->code != ERR_OK)
        end(in, in->job->code);
    else if (daemon_draining(in->d))
        end(in, ERR_CLOSED);
    else
        walk_from(in, NULL);
}

int instances_look(struct daemon *d, struct instances *in, bool drop, void (*cb)(void *arg),
                   void *arg)
{
    int rc;

    *in = (struct instances){.d = d, .drop = drop, .cb = cb, .arg = arg};
    in->job = shares_job_new(0);
    if (in->job == NULL)
        return ERR_NOMEM;
    in->job->instances = &in->list;
    rc = shares_list(d->shares, in->job, on_list, in);
    if (rc != ERR_OK)
        instances_free(in);
    return rc;
}

void instances_free(struct instances *in)
{
    shares_job_free(in->job);
    in->job = NULL;
}
