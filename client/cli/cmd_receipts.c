/* SPDX-License-Identifier: Apache-2.0 */
/* satchel receipts - whether senders are told that what they sent was received. */
#include <string.h>

#include "client/cli/cli.h"
#include "client/cli/ui.h"

static int run(struct cli *cli, int argc, char **argv, struct satchel_error *err)
{
    struct satchel_me me;
    bool on = argc > 0 && strcmp(argv[0], "on") == 0;
    int rc = SATCHEL_OK;

    if (argc > 0 && !on && strcmp(argv[0], "off") != 0)
        return cli_error(err, SATCHEL_E_INVALID, "receipts: '%s' is neither on nor off", argv[0]);
    if (argc > 0)
        rc = satchel_set_receipts(cli->s, on, err);
    if (rc == SATCHEL_OK)
        rc = satchel_whoami(cli->s, &me, err);
    if (rc != SATCHEL_OK)
        return rc;
    ui_result(json_pack("{s:b}", "receipts", me.receipts));
    ui_line(me.receipts ? "receipts are on: senders get a signed one when a file was received"
                        : "receipts are off: senders see only that a key was handed out");
    return SATCHEL_OK;
}

const struct cli_cmd cmd_receipts = {
    .name = "receipts",
    .args = "[on|off]",
    .summary = "whether senders are told that you have received",
    .details = "A setting of the profile, for every get from then on; a receipt that was sent "
               "stays sent.\n"
               "For one get alone there is --no-receipt.",
    .min_args = 0,
    .max_args = 1,
    .needs = CLI_OPEN,
    .run = run,
};
