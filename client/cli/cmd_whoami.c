/* SPDX-License-Identifier: Apache-2.0 */
/* satchel whoami - who the profile is; without the network. */
#include "client/cli/cli.h"
#include "client/cli/text.h"
#include "client/cli/ui.h"

static int run(struct cli *cli, int argc, char **argv, struct satchel_error *err)
{
    char ends[TEXT_TIME];
    struct satchel_me me;
    int rc = satchel_whoami(cli->s, &me, err);

    (void)argc;
    (void)argv;
    if (rc != SATCHEL_OK)
        return rc;
    ui_result(json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:I,s:o,s:b,s:s}", "user_id",
                        me.user_id, "name", me.username, "email", me.email, "server", me.server,
                        "server_id", me.server_id, "pin", me.pin, "device", me.device, "profile",
                        me.profile, "folder", me.folder, "manifest", (json_int_t)me.manifest,
                        "key_ends", ui_json_time(me.key_ends), "passphrase", me.passphrase,
                        "device_secret", me.keyring ? "keyring" : "file"));
    ui_line("user      %s\nuser ID   %s\ne-mail    %s", me.username, me.user_id, me.email);
    ui_line("server    %s\nprofile   %s (%s)", me.server, me.profile, me.folder);
    ui_line("key until %s", text_time(me.key_ends, ends));
    if (me.keyring)
        ui_line("device secret in the desktop keyring");
    return SATCHEL_OK;
}

const struct cli_cmd cmd_whoami = {
    .name = "whoami",
    .args = "",
    .summary = "show who you are on this profile",
    .details = "",
    .min_args = 0,
    .max_args = 0,
    .needs = CLI_OPEN,
    .run = run,
};
