/* SPDX-License-Identifier: Apache-2.0 */
/* satchel extend - another end for a transfer. */
#include "client/cli/cli.h"
#include "client/cli/text.h"
#include "client/cli/ui.h"
#include "client/cli/when.h"

static int run(struct cli *cli, int argc, char **argv, struct satchel_error *err)
{
    struct satchel_extend_options eo = {.id = argv[0]};
    struct satchel_extended r;
    char time[TEXT_TIME];
    struct when end;
    int rc = when_read("extend", argv[1], text_now(), &end, err);

    (void)argc;
    if (rc != SATCHEL_OK)
        return rc;
    eo.lifetime = end.span;
    eo.expires = end.time;
    rc = satchel_sync_extend(cli->s, &eo, &r, err);
    if (rc != SATCHEL_OK)
        return rc;
    ui_result(json_pack("{s:s,s:o,s:o}", "id", r.id, "before", ui_json_time(r.before), "expires",
                        ui_json_time(r.expires)));
    ui_line("%.12s  ends at %s%s", r.id, text_time(r.expires, time),
            r.expires < r.before ? ", earlier than before" : "");
    return SATCHEL_OK;
}

const struct cli_cmd cmd_extend = {
    .name = "extend",
    .args = "ID TIME",
    .summary = "let a transfer of yours end at another time",
    .details =
        "TIME counts from now, as in 7d, or is a day or time in UTC, as in 2026-12-24 or\n"
        "2026-12-24T18:00; it may be sooner than the end was. It works until the transfer has\n"
        "expired, and never beyond the server's longest lifetime, counted from when it was sent.",
    .ids = "'satchel sent' shows",
    .min_args = 2,
    .max_args = 2,
    .needs = CLI_OPEN,
    .run = run,
};
