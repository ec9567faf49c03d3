/* SPDX-License-Identifier: Apache-2.0 */
/* satchel account delete - leave the server, for good. */
#include <stdio.h>
#include <string.h>

#include "client/cli/cli.h"
#include "client/cli/prompt.h"
#include "client/cli/text.h"
#include "client/cli/ui.h"
#include "common/secret.h"

enum { WORDS_MAX = 512 };

static struct {
    const char *yes;
    int otp_fd, words_fd;
} o = {.otp_fd = -1, .words_fd = -1};

static const struct opt opts[] = {
    {"yes", 0, OPT_TEXT, &o.yes, "NAME", "the account's name, instead of being asked for it"},
    {"words-fd", 0, OPT_FD, &o.words_fd, "N", "read the recovery words from this file descriptor"},
    {"otp-fd", 0, OPT_FD, &o.otp_fd, "N",
     "or a one-time password, of a second factor enrolled at least 7 days ago"},
    {0},
};

/* What goes and what stays, and the name typed. */
static int confirm(const struct satchel_me *me, struct satchel_error *err)
{
    char question[256], safe[TEXT_SAFE];
    enum prompt_said said;
    int rc;

    if (o.yes != NULL && strcmp(o.yes, me->username) == 0)
        return SATCHEL_OK;
    if (o.yes != NULL)
        return cli_error(err, SATCHEL_E_INVALID,
                         "account delete: --yes names '%s', but the account is '%s'", o.yes,
                         me->username);
    ui_note("This deletes the account of %s at %s. Nothing brings it back, not the recovery\n"
            "words either.\n"
            "  goes:    the mailbox with everything in it, e-mail address, keys, devices, second\n"
            "           factor and the copy of your contacts there; this profile here\n"
            "  revoked: what you have sent, for everybody who has not opened it\n"
            "  stays:   what others have opened, until its end; their copies, receipts and logs;\n"
            "           the name is kept from being taken by somebody else",
            me->username, text_safe(me->server, safe, sizeof(safe)));
    (void)snprintf(question, sizeof(question),
                   "To delete it type the account's name (%s): ", me->username);
    said = prompt_word(question, me->username);
    if (said == PROMPT_YES)
        return SATCHEL_OK;
    if (said == PROMPT_STOPPED)
        return cli_error(err, SATCHEL_E_CANCELED, "interrupted; nothing was deleted");
    rc = cli_error(err, SATCHEL_E_REFUSED, "nothing was deleted");
    if (prompt_possible())
        cli_hint(err, "only the name %s itself confirms it", me->username);
    else
        cli_hint(err, "without a terminal: --yes %s", me->username);
    return rc;
}

/* ---- what proves that it is the owner ---- */

/* Is there a factor to have a code of?  If the server does not tell, there are still the words. */
static bool has_factor(struct cli *cli)
{
    bool active = false;

    return cli_factor(cli, &active) == SATCHEL_OK && active;
}

/* From the descriptors; else on the terminal.  The length of what stays empty is 0. */
static int ask_proof(struct cli *cli, char code[SATCHEL_CODE_SIZE], struct secret *words,
                     struct satchel_error *err)
{
    bool words_too = o.words_fd >= 0 || (o.otp_fd < 0 && prompt_possible());
    long len = 0;

    if (o.otp_fd >= 0 || (o.words_fd < 0 && words_too && has_factor(cli)))
        len =
            prompt_otp(o.otp_fd, "One-time password (nothing: the recovery words instead): ", code,
                       SATCHEL_CODE_SIZE - 1);
    if (len == 0 && words_too)
        len = prompt_words(o.words_fd, (char *)words->data, words->len - 1);
    if (len < 0)
        return cli_error(err, SATCHEL_E_CANCELED, "interrupted; nothing was deleted");
    return SATCHEL_OK;
}

static int delete_account(struct cli *cli, const struct satchel_me *me, struct satchel_error *err)
{
    char code[SATCHEL_CODE_SIZE] = "";
    struct satchel_account_delete_options ao = {.name = me->username, .code = code};
    struct secret words = {0}; /* zeros: the NUL is there already */
    int rc = SATCHEL_OK;

    if (secret_new(&words, WORDS_MAX, NULL) != ERR_OK)
        return cli_error(err, SATCHEL_E_NOMEM, "out of memory");
    rc = ask_proof(cli, code, &words, err);
    ao.words = (const char *)words.data;
    if (rc == SATCHEL_OK)
        rc = satchel_sync_account_delete(cli->s, &ao, err);
    secret_free(&words);
    secret_wipe(code, sizeof(code));
    if (rc == SATCHEL_E_FACTOR && !prompt_possible())
        cli_hint(err,
                 "without a terminal --words-fd N gives the recovery words, --otp-fd N a code");
    return rc;
}

/* The profile is nothing any more; it must be closed before it goes. */
static int erase(struct cli *cli, const struct satchel_me *me, struct satchel_error *err)
{
    struct satchel_place place = {.home = cli->place.home, .profile = me->profile};
    struct satchel_error why = {0};
    int rc;

    cli_close(cli);
    rc = satchel_profile_reset(NULL, &place, &why);
    if (rc == SATCHEL_OK)
        return rc;
    (void)cli_error(err, rc, "the account is deleted, but not what is here: %s", why.message);
    cli_hint(err, "remove it with: satchel profile reset %s", me->profile);
    return rc;
}

static int run(struct cli *cli, int argc, char **argv, struct satchel_error *err)
{
    struct satchel_me me;
    int rc;

    (void)argc;
    if (strcmp(argv[0], "delete") != 0) {
        rc = cli_error(err, SATCHEL_E_INVALID, "account: cannot make sense of '%s'", argv[0]);
        cli_hint(err, "usage: satchel account %s", cmd_account.args);
        return rc;
    }
    if (o.otp_fd >= 0 && o.words_fd >= 0)
        return cli_error(err, SATCHEL_E_INVALID,
                         "account delete: --words-fd and --otp-fd exclude each other");
    rc = satchel_whoami(cli->s, &me, err);
    if (rc == SATCHEL_OK)
        rc = confirm(&me, err);
    if (rc == SATCHEL_OK)
        rc = delete_account(cli, &me, err);
    if (rc == SATCHEL_E_AUTH)
        cli_hint(err, "was it deleted before? 'satchel profile reset' removes what is left here");
    if (rc == SATCHEL_OK)
        rc = erase(cli, &me, err);
    if (rc != SATCHEL_OK)
        return rc;
    ui_result(json_pack("{s:s,s:s}", "deleted", me.username, "user_id", me.user_id));
    ui_line("the account of %s is deleted; profile '%s' is gone from this machine", me.username,
            me.profile);
    return SATCHEL_OK;
}

const struct cli_cmd cmd_account = {
    .name = "account",
    .args = "delete [--yes NAME] [--words-fd N | --otp-fd N]",
    .summary = "delete your account at the server",
    .details =
        "It takes the recovery words, or a one-time password of a second factor that was enrolled "
        "at\n"
        "least 7 days ago: who has got hold of one of your devices cannot do it.\n"
        "Mailbox, e-mail address, keys, devices and second factor go from the server, and the\n"
        "profile from this machine. What you have sent and somebody has not opened is revoked for\n"
        "him; what was opened stays open until its end. The name goes to nobody else. Profiles on\n"
        "other machines stay there and are worth nothing: 'satchel profile reset' removes them.",
    .opts = opts,
    .min_args = 1,
    .max_args = 1,
    .needs = CLI_OPEN,
    .run = run,
};
