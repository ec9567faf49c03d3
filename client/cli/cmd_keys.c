/* SPDX-License-Identifier: Apache-2.0 */
/* satchel keys - our own encryption keys. */
#include <string.h>

#include "client/cli/cli.h"
#include "client/cli/text.h"
#include "client/cli/ui.h"

static json_t *as_json(const struct satchel_key *k)
{
    return json_pack("{s:s,s:o,s:o,s:b}", "id", k->id, "begins", ui_json_time(k->begins), "ends",
                     ui_json_time(k->ends), "newest", k->newest);
}

static void print_key(void *cookie, const struct satchel_key *k)
{
    char begins[TEXT_TIME], ends[TEXT_TIME];

    (void)json_array_append_new(cookie, as_json(k));
    ui_line("%.12s  %.10s to %.10s%s", k->id, text_time(k->begins, begins),
            text_time(k->ends, ends), k->newest ? "  in use" : "");
}

static int run(struct cli *cli, int argc, char **argv, struct satchel_error *err)
{
    struct satchel_keys_rotate_options ro = {0};
    struct satchel_key k;
    json_t *list;
    int rc;

    if (argc > 0 && strcmp(argv[0], "rotate") == 0) {
        rc = satchel_sync_keys_rotate(cli->s, &ro, &k, err);
        if (rc != SATCHEL_OK)
            return rc;
        ui_result(as_json(&k));
        ui_line("from now on senders use key %.12s", k.id);
        return SATCHEL_OK;
    }
    if (argc > 0 && strcmp(argv[0], "list") != 0) {
        rc = cli_error(err, SATCHEL_E_INVALID, "keys: cannot make sense of '%s'", argv[0]);
        cli_hint(err, "usage: satchel keys %s", cmd_keys.args);
        return rc;
    }
    list = json_array();
    rc = satchel_key_list(cli->s, print_key, list, err);
    if (rc == SATCHEL_OK)
        ui_result(json_pack("{s:O}", "keys", list));
    json_decref(list);
    return rc;
}

const struct cli_cmd cmd_keys = {
    .name = "keys",
    .args = "[list | rotate]",
    .summary = "your encryption keys",
    .details =
        "A key is used for 30 days; the next one is published by itself. 'rotate' does it now.\n"
        "The private half of an old key is erased when nothing sealed to it can be open any more.",
    .min_args = 0,
    .max_args = 1,
    .needs = CLI_OPEN,
    .run = run,
};
