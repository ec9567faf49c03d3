/* SPDX-License-Identifier: Apache-2.0 */
/* The table of commands; those about the daemon itself. */
#include "server/ctl_cmd.h"

#include <string.h>

#include "common/transfer/ids.h"
#include "server/collector.h"
#include "server/daemon.h"
#include "server/reload.h"
#include "server/service.h"

static const struct ctl_cmd table[] = {
    {{"status", NULL}, 0, 0, ctl_cmd_status},
    {{"users", NULL}, 0, 0, ctl_cmd_users},
    {{"user", "show"}, 1, 1, ctl_cmd_user_show},
    {{"user", "suspend"}, 1, 1, ctl_cmd_user_suspend},
    {{"user", "resume"}, 1, 1, ctl_cmd_user_resume},
    {{"quota", NULL}, 2, 2, ctl_cmd_quota},
    {{"invite", "create"}, 2, 2, ctl_cmd_invite_create},
    {{"invite", "list"}, 0, 0, ctl_cmd_invite_list},
    {{"verify", NULL}, 0, 0, ctl_cmd_verify},
    {{"instance", "list"}, 0, 0, ctl_cmd_instance_list},
    {{"instance", "rotate"}, 0, 0, ctl_cmd_instance_rotate},
    {{"clock", "confirm"}, 0, 0, ctl_cmd_clock},
    {{"reload", NULL}, 0, 0, ctl_cmd_reload},
    {{"drain", NULL}, 0, 0, ctl_cmd_drain},
};

const struct ctl_cmd *ctl_cmd_find(const char *const *words, size_t n, size_t *ret_used)
{
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        const struct ctl_cmd *cmd = &table[i];
        size_t need = cmd->words[1] != NULL ? 2 : 1;

        if (n < need || strcmp(words[0], cmd->words[0]) != 0 ||
            (need == 2 && strcmp(words[1], cmd->words[1]) != 0))
            continue;
        *ret_used = need;
        return cmd;
    }
    return NULL;
}

static json_t *number(uint64_t n)
{
    return json_integer(n > INT64_MAX ? INT64_MAX : (json_int_t)n);
}

static json_t *store_part(const struct daemon *d)
{
    struct store_stats s;

    store_stats(d->store, &s);
    return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "users",
                     number(s.users), "transfers", number(s.transfers), "uploads",
                     number(s.uploads), "pieces", number(s.pieces), "index_used",
                     number(s.index_used), "index_map", number(s.index_map), "body_used",
                     number(s.body_used), "body_map", number(s.body_map), "readers",
                     number(s.readers), "commits", number(s.commits), "committed",
                     number(s.committed), "commit_us", number(s.commit_us), "failed",
                     number(s.failed), "in_flight", number(s.in_flight), "reopened",
                     number(s.reopened), "redo_failures", number(s.redo_failures));
}

static json_t *shares_part(const struct daemon *d)
{
    struct shares_stats s;

    shares_stats(d->shares, &s);
    return json_pack("{s:s,s:o,s:o,s:o,s:o,s:o,s:o}", "kernel", shares_kernel(d->shares),
                     "computed", number(s.computed), "batches", number(s.batches), "largest",
                     number(s.largest), "waiting", number(s.waiting), "health_failures",
                     number(s.failures), "instances", number(s.instances));
}

static json_t *collector_part(const struct daemon *d)
{
    struct collector_stats s;

    collector_stats(d->collector, &s);
    return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:b,s:o}", "rounds", number(s.rounds), "expired",
                     number(s.expired), "erased", number(s.erased), "uploads", number(s.uploads),
                     "transfers", number(s.transfers), "pieces", number(s.pieces), "clock_jumped",
                     s.clock_jumped, "clock_trusted", number(s.clock_trusted));
}

void ctl_cmd_status(struct ctl_client *cl)
{
    struct daemon *d = ctl_client_daemon(cl);
    json_t *res =
        json_pack("{s:s,s:s,s:o,s:b,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "version", SATCHEL_VERSION,
                  "registration", settings_registration_name(&d->settings), "uptime_ms",
                  number(daemon_time() - d->started), "draining", daemon_draining(d), "connections",
                  number(d->n_conns), "accepted", number(d->accepted), "refused",
                  number(d->refused), "queued", number(underway_all(d->underway)), "store",
                  store_part(d), "shares", shares_part(d), "collector", collector_part(d));

    ctl_client_result(cl, res);
}

void ctl_cmd_clock(struct ctl_client *cl)
{
    collector_confirm_clock(ctl_client_daemon(cl)->collector);
    ctl_client_result(cl, json_object());
}

/* What stands between commas, as a list. */
static json_t *names(const struct buf *b)
{
    const char *s = b->failed ? "" : (const char *)b->data;
    json_t *list = json_array();

    while (*s != '\0') {
        size_t len = strcspn(s, ",");

        (void)json_array_append_new(list, json_stringn(s, len));
        s += len + (s[len] == ',');
    }
    return list;
}

void ctl_cmd_reload(struct ctl_client *cl)
{
    struct reload_told told = {0};
    int rc = reload_settings(ctl_client_daemon(cl), &told);

    if (rc != ERR_OK)
        ctl_client_error(cl, rc, "the old settings stay; the log says why");
    else
        ctl_client_result(cl, json_pack("{s:o,s:o}", "changed", names(&told.changed), "restart",
                                        names(&told.restart)));
    reload_told_free(&told);
}

void ctl_cmd_drain(struct ctl_client *cl)
{
    ctl_client_result(cl, json_object());
    service_stop(ctl_client_daemon(cl));
}
