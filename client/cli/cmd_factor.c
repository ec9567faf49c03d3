/* SPDX-License-Identifier: Apache-2.0 */
/* satchel factor - the second factor: enrol an authenticator, remove it, see it. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/cli.h"
#include "client/cli/prompt.h"
#include "client/cli/qr.h"
#include "client/cli/text.h"
#include "client/cli/ui.h"
#include "common/secret.h"

enum { WORDS_MAX = 512 };

static struct {
    int otp_fd, recovery_fd;
} o = {.otp_fd = -1, .recovery_fd = -1};

static const struct opt opts[] = {
    {"otp-fd", 0, OPT_FD, &o.otp_fd, "N", "read the code from this file descriptor"},
    {"recovery-fd", 0, OPT_FD, &o.recovery_fd, "N",
     "remove: read the 24 recovery words from there instead of a code"},
    {0},
};

/* ---- enrol ---- */

/* The QR code goes where text does, on a terminal; the key can be typed in as well. */
static long show_key(void *cookie, const struct satchel_factor_key *key, char *buf, size_t size)
{
    bool terminal = isatty(STDOUT_FILENO) != 0;

    (void)cookie;
    if (key->uri == NULL)
        return o.otp_fd < 0
                   ? prompt_code(-1, "That is not the code. What it shows now: ", buf, size)
                   : 0;
    ui_event("key", json_pack("{s:s,s:s,s:i,s:i}", "uri", key->uri, "secret", key->secret, "digits",
                              (int)key->digits, "step", (int)key->step));
    if (!ui_json() && terminal && !qr_draw(stdout, key->uri, true))
        ui_note("satchel: the QR code cannot be drawn");
    ui_line("Scan this with your authenticator, or type the key in:\n  %s\n  %s", key->secret,
            key->uri);
    if (!ui_finish())
        return 0;
    return prompt_code(o.otp_fd, "The code that it shows now: ", buf, size); /* no other kind yet */
}

static void show_codes(void *cookie, const char *const *codes, size_t n)
{
    json_t *list = json_array();

    (void)cookie;
    for (size_t i = 0; i < n; i++)
        (void)json_array_append_new(list, ui_json_text(codes[i]));
    ui_event("recovery_codes", json_pack("{s:o}", "codes", list));
    ui_line(
        "Recovery codes, shown this once. Each stands in for one code of a lost authenticator:");
    for (size_t i = 0; i < n; i++) {
        char safe[TEXT_SAFE];

        ui_line("  %s", text_safe(codes[i], safe, sizeof(safe)));
    }
}

/* ${code}: of the one that is there; "": there is none. */
static int enrol(struct cli *cli, const char *code, struct satchel_error *err)
{
    struct satchel_factor_enrol_options eo = {
        .code = code, .on_key = show_key, .on_codes = show_codes};
    int rc = satchel_sync_factor_enrol(cli->s, &eo, err);

    if (rc == SATCHEL_E_EXISTS)
        cli_hint(err, code[0] == '\0' ? "'satchel factor totp renew' replaces it, with a code of it"
                                      : "this server cannot renew: remove it first");
    if (rc != SATCHEL_OK)
        return rc;
    ui_result(json_pack("{s:s,s:b}", "kind", "totp", "active", 1));
    ui_line("enrolled; transfers that ask for a one-time password can be opened now");
    return SATCHEL_OK;
}

/* ---- renew ---- */

static int renew(struct cli *cli, struct satchel_error *err)
{
    char code[SATCHEL_CODE_SIZE] = "";
    long len = prompt_otp(o.otp_fd,
                          "One-time password or recovery code of the factor that is there: ", code,
                          sizeof(code) - 1);
    int rc;

    if (len < 0) {
        rc = cli_error(err, SATCHEL_E_CANCELED, "interrupted at the code");
    } else if (len == 0) {
        rc = cli_error(err, SATCHEL_E_FACTOR, "factor: renewing needs a code of the present one");
        cli_hint(err, "--otp-fd N gives it without a terminal, and the new one's in the next line");
    } else {
        rc = enrol(cli, code, err);
    }
    secret_wipe(code, sizeof(code));
    return rc;
}

/* ---- remove ---- */

/* Everything up to the end of the descriptor, as text. */
static int read_words(struct secret *ret, struct satchel_error *err)
{
    size_t used = 0;
    ssize_t n = 1;

    if (secret_new(ret, WORDS_MAX, NULL) != ERR_OK)
        return cli_error(err, SATCHEL_E_NOMEM, "out of memory");
    while (n > 0 && used + 1 < ret->len) {
        n = read(o.recovery_fd, ret->data + used, ret->len - 1 - used);
        used += n > 0 ? (size_t)n : 0;
    }
    if (n < 0 || used + 1 == ret->len)
        return cli_error(err, SATCHEL_E_INVALID, "descriptor %d does not give recovery words",
                         o.recovery_fd);
    return SATCHEL_OK;
}

static int take_away(struct cli *cli, struct satchel_error *err)
{
    char code[SATCHEL_CODE_SIZE] = "";
    struct satchel_factor_remove_options ro = {.code = code};
    struct secret words = {0};
    int rc = SATCHEL_OK;
    long len = 0;

    if (o.recovery_fd >= 0) {
        rc = read_words(&words, err);
        ro.words = (const char *)words.data;
    } else {
        len = prompt_otp(o.otp_fd, "One-time password or recovery code: ", code, sizeof(code) - 1);
    }
    if (len < 0)
        rc = cli_error(err, SATCHEL_E_CANCELED, "interrupted at the code");
    if (rc == SATCHEL_OK)
        rc = satchel_sync_factor_remove(cli->s, &ro, err);
    secret_wipe(code, sizeof(code));
    if (rc == SATCHEL_E_FACTOR && !prompt_possible())
        cli_hint(err, "--otp-fd N gives a code without a terminal, --recovery-fd N the words");
    secret_free(&words);
    if (rc != SATCHEL_OK)
        return rc;
    ui_result(json_pack("{s:s}", "removed", "totp"));
    ui_line("removed; forget the key in your authenticator too");
    return SATCHEL_OK;
}

/* ---- list ---- */

static json_t *factors;

static void on_factor(void *cookie, const struct satchel_factor *f)
{
    char since[TEXT_TIME];
    bool known = f->device[0] != '\0';

    (void)cookie;
    (void)json_array_append_new(
        factors, json_pack("{s:s,s:b,s:o,s:i,s:o}", "kind", f->kind, "active", f->active, "since",
                           ui_json_time(f->since), "recovery_codes", (int)f->recovery_codes,
                           "device", known ? json_string(f->device) : json_null()));
    ui_line("%-6s %-8s since %.10s%s%.12s, %u recovery codes left", f->kind,
            f->active ? "active" : "pending", text_time(f->since, since),
            known ? " from device " : "", f->device, f->recovery_codes);
}

static void on_any(void *cookie, const struct satchel_factor *f)
{
    *(bool *)cookie |= f->active;
}

int cli_factor(struct cli *cli, bool *ret_active)
{
    struct satchel_factor_list_options lo = {.cookie = ret_active, .on_factor = on_any};
    struct satchel_error why = {0};

    *ret_active = false;
    return satchel_sync_factor_list(cli->s, &lo, &why);
}

static int list(struct cli *cli, struct satchel_error *err)
{
    struct satchel_factor_list_options lo = {.on_factor = on_factor};
    int rc;

    factors = json_array();
    rc = satchel_sync_factor_list(cli->s, &lo, err);
    if (rc == SATCHEL_OK && json_array_size(factors) == 0)
        ui_note("no second factor; 'satchel factor totp enrol' makes one");
    if (rc == SATCHEL_OK)
        ui_result(json_pack("{s:O}", "factors", factors));
    json_decref(factors);
    return rc;
}

static int run(struct cli *cli, int argc, char **argv, struct satchel_error *err)
{
    const char *what = argc > 0 ? argv[0] : "list", *verb = argc > 1 ? argv[1] : "";
    int rc;

    if (strcmp(what, "list") == 0 && argc < 2)
        return list(cli, err);
    if (strcmp(what, "totp") == 0 && strcmp(verb, "enrol") == 0)
        return enrol(cli, "", err);
    if (strcmp(what, "totp") == 0 && strcmp(verb, "renew") == 0)
        return renew(cli, err);
    if (strcmp(what, "totp") == 0 && strcmp(verb, "remove") == 0)
        return take_away(cli, err);
    rc = cli_error(err, SATCHEL_E_INVALID, "factor: cannot make sense of '%s%s%s'", what,
                   verb[0] != '\0' ? " " : "", verb);
    cli_hint(err, "usage: satchel factor %s", cmd_factor.args);
    return rc;
}

const struct cli_cmd cmd_factor = {
    .name = "factor",
    .args = "[list | totp enrol | totp renew | totp remove]",
    .summary = "one-time passwords as a second factor",
    .details =
        "Transfers sent with --require-otp open only with a code of your authenticator. Each code\n"
        "counts once; the recovery codes stand in when it is lost. Renewing it needs a code of\n"
        "the present one, and keeps its age; removing it a code, or the recovery words\n"
        "(--recovery-fd). Your other devices are told of each.",
    .opts = opts,
    .min_args = 0,
    .max_args = 2,
    .needs = CLI_OPEN,
    .run = run,
};
