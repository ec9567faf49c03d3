/* SPDX-License-Identifier: Apache-2.0 */
/* satchel extend - another end for a transfer. */
#include "client/cli/cli.h"
#include "client/cli/text.h"
#include "client/cli/ui.h"

static int run(struct cli *cli, int argc, char **argv, struct satchel_error *err)
{
    struct satchel_extend_options eo = {.id = argv[0]};
    struct satchel_extended r;
    char time[TEXT_TIME];
    int rc;

    (void)argc;
    if (!options_duration(argv[1], &eo.lifetime)) {
        rc = cli_error(err, SATCHEL_E_INVALID, "extend: '%s' is no length of time", argv[1]);
        cli_hint(err, "as in 30s, 15m, 12h, 7d, 2w");
        return rc;
    }
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
        "TIME counts from now, as in 7d, and may be shorter than what is left. It works until the\n"
        "transfer has expired, and never beyond the server's longest lifetime, counted from when\n"
        "it was sent.",
    .min_args = 2,
    .max_args = 2,
    .needs = CLI_OPEN,
    .run = run,
};
