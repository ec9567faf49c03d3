/* SPDX-License-Identifier: Apache-2.0 */
/* satchel doctor - looks at everything that has to work. */
#include "client/cli/cli.h"
#include "client/cli/prompt.h"
#include "client/cli/text.h"
#include "client/cli/ui.h"

static const char *const verdicts[] = {
    [SATCHEL_CHECK_OK] = "ok",
    [SATCHEL_CHECK_WARN] = "warning",
    [SATCHEL_CHECK_FAIL] = "failed",
    [SATCHEL_CHECK_SKIP] = "skipped",
};

static struct cli *asking;
static json_t *checks;

static void on_check(void *cookie, const struct satchel_check *c)
{
    char detail[TEXT_SAFE];

    (void)cookie;
    (void)json_array_append_new(
        checks, json_pack("{s:s,s:s,s:o,s:o}", "name", c->name, "verdict", verdicts[c->verdict],
                          "detail", ui_json_text(c->detail), "hint", ui_json_text(c->hint)));
    ui_line("%-12s %-8s %s", c->name, verdicts[c->verdict],
            text_safe(c->detail, detail, sizeof(detail)));
    if (c->hint[0] != '\0' && c->verdict != SATCHEL_CHECK_OK)
        ui_line("%-12s %-8s hint: %s", "", "", c->hint);
}

static long ask(void *cookie, bool fresh, char *buf, size_t size)
{
    (void)cookie;
    return prompt_passphrase(asking, fresh, buf, size);
}

static int run(struct cli *cli, int argc, char **argv, struct satchel_error *err)
{
    struct satchel_doctor_options d = {.ask = ask, .on_check = on_check};
    int rc;

    (void)argc;
    (void)argv;
    asking = cli;
    checks = json_array();
    rc = satchel_sync_doctor(cli->s, &d, err);
    if (rc == SATCHEL_OK)
        ui_result(json_pack("{s:O}", "checks", checks));
    else
        ui_event("checks", json_pack("{s:O}", "checks", checks));
    json_decref(checks);
    return rc;
}

const struct cli_cmd cmd_doctor = {
    .name = "doctor",
    .args = "",
    .summary = "check the profile, the keys, the connection and the server",
    .details = "Exit code 0 when nothing failed, otherwise that of the first failed check.",
    .min_args = 0,
    .max_args = 0,
    .needs = CLI_HANDLE,
    .run = run,
};
