/* SPDX-License-Identifier: Apache-2.0 */
/* satchel revoke - stop future opens of a transfer. */
#include <string.h>

#include "client/cli/cli.h"
#include "client/cli/text.h"
#include "client/cli/ui.h"
#include "common/show.h"

static struct {
    struct opt_list from;
} o;

static const struct opt opts[] = {
    {"from", 0, OPT_LIST, &o.from, "WHO[,WHO...]", "only from these recipients"},
    {0},
};

/* Who has opened it or cannot open it anyway, told once the outcome is known. */
struct openers {
    json_t *json;
    struct {
        char who[TEXT_SAFE];
        bool revoked, used, deleted; /* used: given the key */
        uint64_t received;           /* 0: no receipt */
    } rows[257];
    size_t count, ended; /* ended: that many of them in another way than by being revoked */
    uint64_t last;       /* when it was taken from the last of them */
};

static bool is_over(const struct satchel_recipient *r)
{
    return r->opens_used > 0 || r->state == SATCHEL_STATE_DELETED ||
           r->state == SATCHEL_STATE_EXPIRED || r->state == SATCHEL_STATE_SPENT;
}

static void on_recipient(void *cookie, const struct satchel_recipient *r)
{
    struct openers *l = cookie;
    bool revoked = r->state == SATCHEL_STATE_REVOKED;

    (void)json_array_append_new(
        l->json,
        json_pack("{s:s,s:o,s:s,s:I,s:o}", "user_id", r->user_id, "name", ui_json_text(r->name),
                  "state", satchel_state_name(r->state), "opens_used", (json_int_t)r->opens_used,
                  "received", r->received != 0 ? ui_json_time(r->received) : json_null()));
    if (revoked && r->changed > l->last)
        l->last = r->changed;
    if (!is_over(r) || l->count == sizeof(l->rows) / sizeof(l->rows[0]))
        return;
    (void)text_safe(r->name[0] != '\0' ? r->name : r->user_id, l->rows[l->count].who, TEXT_SAFE);
    l->rows[l->count].revoked = revoked;
    l->rows[l->count].used = r->opens_used > 0;
    l->rows[l->count].deleted = r->state == SATCHEL_STATE_DELETED;
    l->rows[l->count++].received = r->received;
    l->ended += !revoked;
}

static void report_one(const struct openers *l, size_t i)
{
    const char *who = l->rows[i].who;
    char time[TEXT_TIME];

    if (l->rows[i].received != 0)
        ui_line("              %s had received it by %s and keeps it", who,
                text_time(l->rows[i].received, time));
    else if (l->rows[i].used)
        ui_line("              %s had been given the key before and may have it", who);
    else
        ui_line("              %s %s", who,
                l->rows[i].deleted ? "has deleted it" : "did not open it before its end");
}

static void report(const struct satchel_revoked *r, const struct openers *l)
{
    bool others = r->already && l->ended > 0; /* whose end was another one */
    char day[TEXT_TIME];

    ui_result(json_pack("{s:s,s:I,s:I,s:b,s:O}", "id", r->id, "revoked", (json_int_t)r->revoked,
                        "opened", (json_int_t)r->opened, "already", r->already, "recipients",
                        l->json));
    if (others)
        ui_line("%.12s  nothing has changed: those meant could not open it any more", r->id);
    else if (r->already && r->revoked > 0)
        ui_line("%.12s  was revoked already, on %s: nothing has changed", r->id,
                show_minute(l->last, day));
    else if (r->revoked == 0)
        ui_line("%.12s  revoked for no recipient: it had ended for those meant", r->id);
    else
        ui_line("%.12s  revoked for %u %s: it cannot be opened any more by them", r->id, r->revoked,
                r->revoked == 1 ? "person" : "people");
    for (size_t i = 0; i < l->count; i++)
        if (others || l->rows[i].revoked)
            report_one(l, i);
}

static int run(struct cli *cli, int argc, char **argv, struct satchel_error *err)
{
    static struct openers openers;
    struct satchel_revoke_options ro = {.id = argv[0],
                                        .from = o.from.items,
                                        .from_count = o.from.count,
                                        .cookie = &openers,
                                        .on_recipient = on_recipient};
    struct satchel_revoked r;
    int rc;

    (void)argc;
    openers.json = json_array();
    rc = satchel_sync_revoke(cli->s, &ro, &r, err);
    if (rc == SATCHEL_OK)
        report(&r, &openers);
    json_decref(openers.json);
    return rc;
}

const struct cli_cmd cmd_revoke = {
    .name = "revoke",
    .args = "ID [--from WHO[,WHO...]]",
    .summary = "stop future opens of a transfer of yours",
    .details =
        "The server destroys what the keys are regenerated from before it answers: from then on\n"
        "nobody who has not opened it can, not even with the recipient's keys. What was opened\n"
        "before cannot be taken back; revoke says who had. Without --from it ends for everybody,\n"
        "your own copy included.",
    .ids = "'satchel sent' shows",
    .opts = opts,
    .min_args = 1,
    .max_args = 1,
    .needs = CLI_OPEN,
    .run = run,
};
