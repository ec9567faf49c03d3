/* SPDX-License-Identifier: Apache-2.0 */
/* satchel device - the machines that may act for us. */
#include <string.h>

#include "client/cli/cli.h"
#include "client/cli/prompt.h"
#include "client/cli/text.h"
#include "client/cli/ui.h"

static struct {
    bool last;
} o;

static const struct opt opts[] = {
    {"last", 0, OPT_FLAG, &o.last, NULL, "revoke: even the last device, without asking"},
    {0},
};

static json_t *as_json(const struct satchel_device *d)
{
    json_t *revoked = d->revoked != 0 ? ui_json_time(d->revoked) : json_null();

    return json_pack("{s:s,s:o,s:o,s:b}", "id", d->id, "added", ui_json_time(d->added), "revoked",
                     revoked, "self", d->self);
}

static void print_device(void *cookie, const struct satchel_device *d)
{
    char added[TEXT_TIME], revoked[TEXT_TIME] = "";

    (void)json_array_append_new(cookie, as_json(d));
    if (d->revoked != 0)
        (void)text_time(d->revoked, revoked);
    ui_line("%.12s  since %.10s%s%.10s%s", d->id, text_time(d->added, added),
            d->revoked != 0 ? "  revoked " : "", revoked, d->self ? "  this device" : "");
}

static int run_list(struct cli *cli, struct satchel_error *err)
{
    json_t *list = json_array();
    int rc = satchel_device_list(cli->s, print_device, list, err);

    if (rc == SATCHEL_OK)
        ui_result(json_pack("{s:O}", "devices", list));
    json_decref(list);
    return rc;
}

static int run_revoke(struct cli *cli, const char *id, struct satchel_error *err)
{
    struct satchel_device_revoke_options ro = {.id = id, .last_too = o.last};
    struct satchel_device d;
    int rc = satchel_sync_device_revoke(cli->s, &ro, &d, err);

    if (rc == SATCHEL_E_REFUSED && !o.last && prompt_possible() && !ui_json()) {
        ui_note("This is your last device: only the recovery words lead back to the account.");
        ro.last_too = prompt_yes("Revoke it all the same? (yes/no) ");
        if (ro.last_too)
            rc = satchel_sync_device_revoke(cli->s, &ro, &d, err);
    }
    if (rc != SATCHEL_OK)
        return rc;
    ui_result(as_json(&d));
    ui_line("%.12s can do nothing any more for this account", d.id);
    return SATCHEL_OK;
}

static int run(struct cli *cli, int argc, char **argv, struct satchel_error *err)
{
    int rc;

    if (argc == 0 || (argc == 1 && strcmp(argv[0], "list") == 0))
        return run_list(cli, err);
    if (argc == 2 && strcmp(argv[0], "revoke") == 0)
        return run_revoke(cli, argv[1], err);
    rc = cli_error(err, SATCHEL_E_INVALID, "device: cannot make sense of '%s'", argv[0]);
    cli_hint(err, "usage: satchel device %s", cmd_device.args);
    return rc;
}

const struct cli_cmd cmd_device = {
    .name = "device",
    .args = "[list | revoke ID]",
    .summary = "the machines that may act for you",
    .details =
        "A revoked device can neither log in nor get keys, and nobody accepts what it signs\n"
        "from then on, whatever the date. What others had sent you before stays readable here.",
    .opts = opts,
    .min_args = 0,
    .max_args = 2,
    .needs = CLI_OPEN,
    .run = run,
};
