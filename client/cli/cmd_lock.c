/* SPDX-License-Identifier: Apache-2.0 */
/* satchel passphrase, unlock, lock: how the keys of the profile are protected. */
#include <string.h>

#include "client/cli/cli.h"
#include "client/cli/prompt.h"
#include "client/cli/ui.h"
#include "client/local/agent.h"

/* ---- passphrase ---- */

static struct {
    bool renew, none;
    uint64_t time;
    const char *device_secret;
    int new_fd;
} o = {.time = 15 * 60 * 1000, .new_fd = -1};

static const struct opt passphrase_opts[] = {
    {"renew", 0, OPT_FLAG, &o.renew, NULL,
     "after a leak: new keys of the vault, everything in it sealed anew"},
    {"new-fd", 0, OPT_FD, &o.new_fd, "N", "read the new passphrase from this file descriptor"},
    {"none", 0, OPT_FLAG, &o.none, NULL, "no passphrase any more: keys are as safe as the disk"},
    {"device-secret", 0, OPT_TEXT, &o.device_secret, "WHERE",
     "change nothing else: keep the device secret in the desktop 'keyring' or in a 'file'"},
    {0},
};

/* The old passphrase comes from --passphrase-fd, the new one from --new-fd. */
static long ask_both(void *cookie, bool fresh, char *buf, size_t size)
{
    struct cli cli = *(struct cli *)cookie;

    if (fresh && (o.new_fd >= 0 || cli.passphrase_fd >= 0))
        cli.passphrase_fd = o.new_fd >= 0 ? o.new_fd : cli.passphrase_fd;
    return prompt_passphrase(&cli, fresh, buf, size);
}

/* The passphrase stays as it is. */
static int move_device_secret(struct cli *cli, struct satchel_error *err)
{
    bool keyring = strcmp(o.device_secret, "keyring") == 0;
    int rc;

    if (!keyring && strcmp(o.device_secret, "file") != 0)
        return cli_error(err, SATCHEL_E_INVALID, "passphrase: --device-secret is keyring or file");
    if (o.none || o.renew || o.new_fd >= 0)
        return cli_error(err, SATCHEL_E_INVALID, "passphrase: --device-secret stands alone");
    rc = satchel_device_secret(cli->s, keyring, prompt_passphrase, cli, err);
    if (rc != SATCHEL_OK)
        return rc;
    ui_result(json_pack("{s:s}", "device_secret", o.device_secret));
    ui_line(keyring ? "the device secret is in the desktop keyring"
                    : "the device secret is in a file of the profile");
    return SATCHEL_OK;
}

static int run_passphrase(struct cli *cli, int argc, char **argv, struct satchel_error *err)
{
    struct satchel_passphrase_options po = {
        .remove = o.none, .renew = o.renew, .cookie = cli, .ask = ask_both};
    int rc;

    (void)argc;
    (void)argv;
    if (o.device_secret != NULL)
        return move_device_secret(cli, err);
    if (o.none && o.new_fd >= 0)
        return cli_error(err, SATCHEL_E_INVALID,
                         "passphrase: --none and --new-fd exclude each other");
    rc = satchel_passphrase(cli->s, &po, err);
    if (rc == SATCHEL_E_PASSPHRASE && strstr(err->hint, "--no-passphrase") != NULL)
        cli_hint(err, "type one, or use --new-fd N or SATCHEL_ASKPASS; --none keeps keys without "
                      "one");
    if (rc != SATCHEL_OK)
        return rc;
    ui_result(json_pack("{s:b,s:b}", "passphrase", !o.none, "renewed", o.renew));
    ui_line(o.none ? "the keys have no passphrase any more" : "the passphrase is changed");
    return SATCHEL_OK;
}

const struct cli_cmd cmd_passphrase = {
    .name = "passphrase",
    .args = "[--renew] [--none] | --device-secret WHERE",
    .summary = "change the passphrase of the keys",
    .details =
        "Asks for the old one, then for the new one. Who has copied the old vault and knows the "
        "old\n"
        "passphrase can still open that copy, and what is written later too, unless --renew makes\n"
        "new keys. A crash leaves the old or the new passphrase, never none.\n"
        "The device secret is needed besides. In the keyring it is not on the disk in the clear, "
        "and\n"
        "the profile opens only where that keyring is unlocked: move it back to a file before you\n"
        "use the profile without the desktop.",
    .opts = passphrase_opts,
    .min_args = 0,
    .max_args = 0,
    .needs = CLI_HANDLE,
    .run = run_passphrase,
};

/* ---- unlock ---- */

static const struct opt unlock_opts[] = {
    {"for", 0, OPT_DURATION, &o.time, "TIME", "how long, at most 7d; 15m unless given"},
    {0},
};

static int run_unlock(struct cli *cli, int argc, char **argv, struct satchel_error *err)
{
    struct satchel_unlock_options uo = {
        .ms = o.time, .program = "/proc/self/exe", .cookie = cli, .ask = prompt_passphrase};
    unsigned long long minutes;
    int rc;

    (void)argc;
    (void)argv;
    rc = satchel_unlock(cli->s, &uo, err);
    if (rc != SATCHEL_OK)
        return rc;
    ui_result(json_pack("{s:I}", "seconds", (json_int_t)(o.time / 1000)));
    minutes = (unsigned long long)(o.time + 59999) / 60000;
    ui_line("unlocked for %llu minute%s; 'satchel lock' ends it", minutes, minutes == 1 ? "" : "s");
    return SATCHEL_OK;
}

const struct cli_cmd cmd_unlock = {
    .name = "unlock",
    .args = "[--for TIME]",
    .summary = "ask for no passphrase for a time",
    .details =
        "Starts an agent that keeps the keys of the vault in locked memory and gives them to\n"
        "your own processes alone. It ends by itself.",
    .opts = unlock_opts,
    .min_args = 0,
    .max_args = 0,
    .needs = CLI_HANDLE,
    .run = run_unlock,
};

/* ---- lock ---- */

static int run_lock(struct cli *cli, int argc, char **argv, struct satchel_error *err)
{
    bool was = false;
    int rc = satchel_lock(cli->s, &was, err);

    (void)argc;
    (void)argv;
    if (rc != SATCHEL_OK)
        return rc;
    ui_result(json_pack("{s:b}", "was_unlocked", was));
    ui_line(was ? "locked" : "it was locked already");
    return SATCHEL_OK;
}

const struct cli_cmd cmd_lock = {
    .name = "lock",
    .args = "",
    .summary = "end what unlock began",
    .details = "",
    .min_args = 0,
    .max_args = 0,
    .needs = CLI_HANDLE,
    .run = run_lock,
};

/* ---- the agent itself ---- */

static int run_agent(struct cli *cli, int argc, char **argv, struct satchel_error *err)
{
    struct err why = {0};
    int rc = agent_run(&why);

    (void)cli;
    (void)argc;
    (void)argv;
    if (rc != ERR_OK) {
        (void)cli_error(err, rc, "%s", why.msg);
        cli_hint(err, "%s", why.hint);
    }
    return rc;
}

const struct cli_cmd cmd_agent = {
    .name = "agent",
    .args = "",
    .summary = "what unlock starts; not for people",
    .details = "Reads keys from standard input and serves them on descriptor 3.",
    .hidden = true,
    .min_args = 0,
    .max_args = 0,
    .needs = 0,
    .run = run_agent,
};
