/* SPDX-License-Identifier: Apache-2.0 */
/* satchel recover - back with the 24 words, on a machine that has nothing. */
#include <stdio.h>
#include <string.h>

#include "client/cli/cli.h"
#include "client/cli/prompt.h"
#include "client/cli/text.h"
#include "client/cli/ui.h"

static struct {
    const char *server, *name, *id, *pin, *ca;
    int words_fd, otp_fd;
    bool no_passphrase;
} o = {.words_fd = -1, .otp_fd = -1};

static const struct opt opts[] = {
    {"server", 0, OPT_TEXT, &o.server, "HOST[:PORT]", "the server; port 7743 unless given"},
    {"name", 0, OPT_TEXT, &o.name, "NAME", "your username"},
    {"id", 0, OPT_TEXT, &o.id, "ID", "your user ID, instead of the name"},
    {"words-fd", 0, OPT_FD, &o.words_fd, "N", "read the recovery words from this file descriptor"},
    {"otp-fd", 0, OPT_FD, &o.otp_fd, "N",
     "for a second factor of 7 days and more: read a one-time password from this file descriptor"},
    {"pin", 0, OPT_TEXT, &o.pin, "HASH", "fingerprint of the server's key ('satcheld pin')"},
    {"ca", 0, OPT_TEXT, &o.ca, "FILE", "trust these authorities instead; 'system': the machine's"},
    {"no-passphrase", 0, OPT_FLAG, &o.no_passphrase, NULL,
     "for unattended machines: keys are as safe as the disk"},
    {0},
};

static long ask_words(void *cookie, bool fresh, char *buf, size_t size)
{
    (void)cookie;
    (void)fresh;
    return prompt_words(o.words_fd, buf, size);
}

static long ask_otp(void *cookie, bool fresh, char *buf, size_t size)
{
    (void)cookie;
    (void)fresh;
    return prompt_otp(o.otp_fd, "One-time password or recovery code: ", buf, size);
}

static int bring_contacts(struct cli *cli, struct satchel_restored *ret, struct satchel_error *err)
{
    struct satchel_restore_options ro = {0};

    return satchel_sync_restore(cli->s, &ro, ret, err);
}

/*
 * The answer that tells of a factor that went may have been lost, and the same command does not
 * hear of it again: so what there is now is told as well.  As JSON; null: the server does not say.
 */
static json_t *tell_factor(struct cli *cli, uint64_t removed)
{
    char since[TEXT_TIME];
    bool active;
    int rc = cli_factor(cli, &active);

    if (removed != 0)
        ui_note("the second factor enrolled on %.10s was removed: it was younger than 7 days; to "
                "have one again: satchel factor totp enrol",
                text_time(removed, since));
    else if (rc == SATCHEL_OK && !active)
        ui_note("no second factor is enrolled; if you had one, it was younger than 7 days and was "
                "removed: satchel factor totp enrol");
    return rc == SATCHEL_OK ? json_boolean(active) : json_null();
}

static int run(struct cli *cli, int argc, char **argv, struct satchel_error *err)
{
    struct satchel_recover_options ro = {.server = o.server,
                                         .pin = o.pin,
                                         .ca_file = o.ca,
                                         .who = o.id != NULL ? o.id : o.name,
                                         .no_passphrase = o.no_passphrase,
                                         .cookie = cli,
                                         .ask = prompt_passphrase,
                                         .ask_words = ask_words,
                                         .ask_otp = ask_otp};
    struct satchel_restored contacts = {0};
    struct satchel_recovered r;
    json_t *factor;
    int rc;

    (void)argc;
    (void)argv;
    if (o.server == NULL || (o.name == NULL) == (o.id == NULL)) {
        rc = cli_error(err, SATCHEL_E_INVALID, "recover: --server and one of --name and --id");
        cli_hint(err, "usage: satchel recover %s", cmd_recover.args);
        return rc;
    }
    if (o.pin != NULL && o.ca != NULL)
        return cli_error(err, SATCHEL_E_INVALID, "recover: --pin and --ca exclude each other");
    rc = satchel_sync_recover(cli->s, &ro, &r, err);
    if (rc == SATCHEL_E_FACTOR)
        cli_hint(err, "type a code of your authenticator, or one of your recovery codes");
    if (rc != SATCHEL_OK)
        return rc;
    ui_line("you are %s again, %s", r.username, r.user_id);
    if (!r.record)
        ui_note("the server had no good record of keys and contacts: earlier mail cannot be read");
    factor = tell_factor(cli, r.factor_removed);
    rc = bring_contacts(cli, &contacts, err);
    if (rc != SATCHEL_OK) {
        json_decref(factor);
        cli_hint(err, "the account is yours again; 'satchel contacts restore' brings the contacts");
        return rc;
    }
    ui_result(json_pack("{s:s,s:s,s:I,s:b,s:I,s:I,s:I,s:o,s:o}", "user_id", r.user_id, "name",
                        r.username, "keys", (json_int_t)r.keys, "record", r.record, "contacts",
                        (json_int_t)contacts.contacts, "lost", (json_int_t)contacts.lost,
                        "lost_groups", (json_int_t)contacts.lost_groups, "factor_removed",
                        r.factor_removed != 0 ? ui_json_time(r.factor_removed) : json_null(),
                        "factor", factor));
    ui_line("%u contact%s back%s", contacts.contacts, contacts.contacts == 1 ? " is" : "s are",
            contacts.lost > 0 ? ", some are not: their owners are gone" : "");
    ui_note("hint: your contacts are told of the new key; compare safety numbers with them again");
    return SATCHEL_OK;
}

const struct cli_cmd cmd_recover = {
    .name = "recover",
    .args = "--server HOST[:PORT] --name NAME | --id ID [--words-fd N] [--pin HASH]",
    .summary = "get your account back with the recovery words",
    .details =
        "On a machine without a profile of yours. A new identity key is made, and all earlier\n"
        "devices are revoked; a second factor that is not 7 days old is removed with them, an "
        "older\n"
        "one is asked for. What has not expired and was sent to keys in the server's sealed copy\n"
        "can be read; contacts and groups come back. Interrupted, it can be repeated.",
    .opts = opts,
    .min_args = 0,
    .max_args = 0,
    .needs = CLI_HANDLE,
    .run = run,
};
