/* SPDX-License-Identifier: Apache-2.0 */
/* satchel watch - events as they happen, over lost connections and restarts. */
#include <stdio.h>
#include <time.h>

#include "client/cli/cli.h"
#include "client/cli/hook.h"
#include "client/cli/text.h"
#include "client/cli/ui.h"

enum { WAIT_MS = 250, WAIT_MOST_MS = 30000 };

static struct {
    bool notify;
    const char *exec;
} o;

static const struct opt opts[] = {
    {"notify", 0, OPT_FLAG, &o.notify, NULL, "show each event on the desktop as well"},
    {"exec", 0, OPT_TEXT, &o.exec, "PROGRAM", "run a program for each event, without a shell"},
    {0},
};

static unsigned wait_ms; /* until the next attempt */

static void on_ready(void *cookie)
{
    (void)cookie;
    wait_ms = 0;
    ui_event("watching", json_object());
    (void)fflush(stdout);
}

/* How the other one stands to it: ${ret_behind} is said behind his name. */
static const char *relation(const struct satchel_event *e, const char **ret_behind)
{
    bool ours = e->side == SATCHEL_SIDE_OURS, theirs = e->side == SATCHEL_SIDE_THEIRS;

    *ret_behind = "";
    switch (e->kind) {
    case SATCHEL_EVENT_ARRIVED:
    case SATCHEL_EVENT_EXTENDED:
        return "from ";
    case SATCHEL_EVENT_STORED:
        return "by ";
    case SATCHEL_EVENT_REVOKED:
        *ret_behind = theirs ? ", for you" : "";
        return ours ? "by you, for " : theirs ? "by " : "";
    case SATCHEL_EVENT_EXPIRED:
        return ours ? "for " : theirs ? "from " : "";
    default:
        return "";
    }
}

static json_t *side_json(enum satchel_side side)
{
    return side == SATCHEL_SIDE_UNKNOWN ? json_null() : json_boolean(side == SATCHEL_SIDE_OURS);
}

static void on_event(void *cookie, const struct satchel_event *e)
{
    char time[TEXT_TIME], who[TEXT_SAFE], file[TEXT_SAFE];
    const char *name = satchel_event_name(e->kind), *front, *behind;

    (void)cookie;
    if (name[0] == '\0')
        return; /* of a newer server */
    (void)text_safe(e->who[0] != '\0' ? e->who : e->who_id, who, sizeof(who));
    ui_event(name, json_pack("{s:I,s:o,s:s,s:o,s:s,s:o,s:o}", "number", (json_int_t)e->number,
                             "time", ui_json_time(e->time), "id", e->id, "who",
                             ui_json_text(e->who), "who_id", e->who_id, "ours", side_json(e->side),
                             "name", e->name[0] != '\0' ? ui_json_text(e->name) : json_null()));
    front = relation(e, &behind);
    ui_line("%s  %-8s  %.12s  %s%s%s%s%s", text_time(e->time, time), name, e->id, front, who,
            behind, e->name[0] != '\0' ? ": " : "", text_safe(e->name, file, sizeof(file)));
    if (e->kind == SATCHEL_EVENT_FACTOR_ENROLLED)
        ui_note("satchel: a second factor was enrolled from device %.12s; if that was not you: "
                "'satchel device revoke %.12s', and with your recovery words 'satchel factor totp "
                "remove --recovery-fd 0'",
                e->id, e->id);
    else if (e->kind == SATCHEL_EVENT_FACTOR_REMOVED)
        ui_note("satchel: the second factor was removed from device %.12s; if that was not you: "
                "'satchel device revoke %.12s', then 'satchel factor totp enrol'",
                e->id, e->id);
    (void)fflush(stdout);
    if (o.notify)
        hook_notify(e);
    if (o.exec != NULL)
        hook_run(o.exec, e);
}

/* Is it worth trying again? */
static bool is_passing(int code)
{
    switch (code) {
    case SATCHEL_E_CLOSED:
    case SATCHEL_E_CONNECT:
    case SATCHEL_E_TIMEOUT:
    case SATCHEL_E_DRAINING:
    case SATCHEL_E_BUSY:
    case SATCHEL_E_TLS:
    case SATCHEL_E_RATE:
    case SATCHEL_E_LIMIT:
    case SATCHEL_E_IO:
    case SATCHEL_E_LOCKED:
        return true;
    default:
        return false;
    }
}

/* False: interrupted. */
static bool rest(const struct satchel_error *why)
{
    struct timespec t;

    if (wait_ms == 0)
        ui_note("satchel: %s; trying again", why->message);
    wait_ms = wait_ms == 0 ? WAIT_MS : wait_ms * 2 > WAIT_MOST_MS ? WAIT_MOST_MS : wait_ms * 2;
    t.tv_sec = wait_ms / 1000;
    t.tv_nsec = (long)(wait_ms % 1000) * 1000000;
    return nanosleep(&t, NULL) == 0;
}

static int run(struct cli *cli, int argc, char **argv, struct satchel_error *err)
{
    struct satchel_watch_options wo = {.on_ready = on_ready, .on_event = on_event};
    int rc;

    (void)argc;
    (void)argv;
    if (o.notify && !hook_exists("notify-send")) {
        rc = cli_error(err, SATCHEL_E_UNSUPPORTED, "watch: --notify needs notify-send");
        cli_hint(err, "on Debian it is in the package libnotify-bin");
        return rc;
    }
    if (o.exec != NULL && !hook_exists(o.exec))
        return cli_error(err, SATCHEL_E_NOTFOUND, "watch: there is no program '%s'", o.exec);
    do
        rc = satchel_sync_watch(cli->s, &wo, err);
    while (is_passing(rc) && rest(err));
    if (is_passing(rc))
        rc = cli_error(err, SATCHEL_E_CANCELED, "interrupted");
    if (rc == SATCHEL_E_CANCELED)
        cli_hint(err, "the next watch tells what happens from here on");
    hook_reap(rc != SATCHEL_E_CANCELED);
    return rc;
}

const struct cli_cmd cmd_watch = {
    .name = "watch",
    .args = "[--notify] [--exec PROGRAM]",
    .summary = "tell what happens to transfers, as it happens",
    .details =
        "Events: stored, arrived, released, received, expired, revoked, deleted, extended; "
        "factor:\n"
        "somebody with a device of yours, or your words, gave wrong one-time passwords;\n"
        "factor_enrolled, factor_removed: the ID is the device that did it. Lost\n"
        "connections are made again; the next watch goes on behind the last event told. PROGRAM\n"
        "gets event, ID and who it is as arguments, and SATCHEL_EVENT, SATCHEL_ID, SATCHEL_WHO,\n"
        "SATCHEL_WHO_ID, SATCHEL_NAME, SATCHEL_TIME and SATCHEL_NUMBER in its environment.",
    .opts = opts,
    .min_args = 0,
    .max_args = 0,
    .needs = CLI_OPEN,
    .run = run,
};
