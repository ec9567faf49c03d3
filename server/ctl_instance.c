/* SPDX-License-Identifier: Apache-2.0 */
/* instance list and rotate: the key networks that are loaded. */
#include "common/crypto/hex.h"
#include "server/collector.h"
#include "server/ctl_cmd.h"
#include "server/daemon.h"
#include "server/instances.h"

static const char *const states[] = {
    [SHARES_CURRENT] = "current", [SHARES_OLD] = "old", [SHARES_NEXT] = "next"};

enum { HEX = 2 * sizeof(struct instance_id) + 1 };

/* ---- list ---- */

static void drop_look(void *data)
{
    instances_free(data);
}

static json_t *line_of(const struct instances *in, size_t i)
{
    const struct shares_instance *item = &in->list.items[i];
    char id[HEX];

    hex_encode(id, item->id.b, sizeof(item->id.b));
    return json_pack("{s:s,s:I,s:s,s:I}", "id", id, "made", (json_int_t)item->made, "state",
                     states[item->state], "slots", (json_int_t)in->slots[i]);
}

static void on_looked(struct ctl_client *cl, struct store_result *res)
{
    const struct instances *in = ctl_client_data(cl, sizeof(*in));

    (void)res;
    if (in->code != ERR_OK) {
        ctl_client_error(cl, in->code, "cannot count what the key networks are needed for: %s",
                         err_text(in->code));
        return;
    }
    for (size_t i = 0; i < in->list.n; i++)
        ctl_client_item(cl, line_of(in, i));
    ctl_client_result(cl, json_object());
    collector_look_at_instances(ctl_client_daemon(cl)->collector);
}

void ctl_cmd_instance_list(struct ctl_client *cl)
{
    struct instances *in = ctl_client_data(cl, sizeof(*in));
    int rc = ERR_NOMEM;

    ctl_client_drop(cl, drop_look);
    if (in != NULL)
        rc = instances_look(ctl_client_daemon(cl), in, false, ctl_client_on_done, cl);
    if (rc != ERR_OK)
        ctl_client_error(cl, rc, "cannot look at the key networks: %s", err_text(rc));
    else
        ctl_client_wait(cl, on_looked);
}

/* ---- rotate ---- */

struct rotation {
    struct shares_job *job;
    struct shares_instances list;
};

static void drop_rotation(void *data)
{
    struct rotation *r = data;

    shares_job_free(r->job);
}

static void on_rotated(struct ctl_client *cl, struct store_result *res)
{
    const struct rotation *r = ctl_client_data(cl, sizeof(*r));
    const struct err *err = &r->list.err;
    char id[HEX], before[HEX];

    (void)res;
    if (r->job->code != ERR_OK) {
        ctl_client_refuse(cl, r->job->code, err);
        return;
    }
    hex_encode(id, r->list.items[0].id.b, sizeof(r->list.items[0].id.b));
    hex_encode(before, r->list.items[1].id.b, sizeof(r->list.items[1].id.b));
    ctl_client_result(cl, json_pack("{s:s,s:s}", "id", id, "previous", before));
    collector_look_at_instances(ctl_client_daemon(cl)->collector);
}

void ctl_cmd_instance_rotate(struct ctl_client *cl)
{
    struct rotation *r = ctl_client_data(cl, sizeof(*r));
    int rc = ERR_NOMEM;

    ctl_client_drop(cl, drop_rotation);
    if (r != NULL && (r->job = shares_job_new(0)) != NULL) {
        r->job->instances = &r->list;
        rc = shares_rotate(ctl_client_daemon(cl)->shares, r->job, ctl_client_on_done, cl);
    }
    if (rc != ERR_OK)
        ctl_client_error(cl, rc, "cannot rotate: %s", err_text(rc));
    else
        ctl_client_wait(cl, on_rotated);
}
