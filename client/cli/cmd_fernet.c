/* SPDX-License-Identifier: Apache-2.0 */
/* satchel fernet - Fernet tokens of local files (FORMATS.md section 20).  Needs no profile. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/cli/cli.h"
#include "client/cli/prompt.h"
#include "client/cli/ui.h"
#include "client/local/fernet_keys.h"
#include "common/fs.h"

static struct {
    struct opt_list keys;
    const char *output;
    uint64_t ttl;
    int key_fd;
    bool passphrase, force;
} o = {.key_fd = -1};

static const struct opt opts[] = {
    {"key", 'k', OPT_LIST, &o.keys, "FILE[,FILE...]",
     "files of keys; the first key encrypts, every one decrypts"},
    {"key-fd", 0, OPT_FD, &o.key_fd, "N", "read keys from this file descriptor, before those"},
    {"output", 'o', OPT_TEXT, &o.output, "FILE", "write there, not to standard output"},
    {"force", 'f', OPT_FLAG, &o.force, NULL, "overwrite an existing file"},
    {"ttl", 0, OPT_DURATION, &o.ttl, "TIME", "decrypt: refuse a token that is older"},
    {"passphrase", 0, OPT_FLAG, &o.passphrase, NULL,
     "keygen: a file that makes the key from a passphrase"},
    {0},
};

/* What one action works with. */
struct fernet_job {
    struct cli *cli;
    struct fernet_keys keys;
    struct buf in;
    const char *name; /* of the input, for messages */
    struct err err;
};

/* ---- reading ---- */

static int read_all(int fd, const char *name, size_t max, struct buf *out, struct err *err)
{
    for (;;) {
        uint8_t *to = buf_reserve(out, 65536);
        ssize_t n = to != NULL ? read(fd, to, 65536) : 0;

        if (to == NULL)
            return buf_check(out, err);
        if (n < 0 && errno == EINTR)
            return err_set(err, ERR_CANCELED, "interrupted while reading '%s'", name);
        if (n < 0)
            return err_sys(err, errno, "cannot read '%s'", name);
        if (n == 0)
            return ERR_OK;
        out->len += (size_t)n;
        if (out->len > max)
            return err_set(err, ERR_TOOLARGE, "'%s' is longer than %zu bytes", name, max);
    }
}

static int read_input(const char *path, size_t max, struct fernet_job *j)
{
    bool named = path != NULL && strcmp(path, "-") != 0;
    int fd = named ? open(path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO, rc;

    j->name = named ? path : "standard input";
    if (fd < 0 && errno == ENOENT)
        return err_set(&j->err, ERR_NOTFOUND, "there is no '%s'", path);
    if (fd < 0)
        return err_sys(&j->err, errno, "cannot open '%s'", path);
    rc = read_all(fd, j->name, max, &j->in, &j->err);
    if (named)
        close(fd);
    return rc;
}

static int ask_passphrase(void *cookie, struct secret *ret, struct err *err)
{
    struct fernet_job *j = cookie;
    struct secret s = {0};
    int rc = secret_new(&s, SATCHEL_PASSPHRASE_MAX, err);
    long len;

    if (rc != ERR_OK)
        return rc;
    len = prompt_passphrase(j->cli, false, (char *)s.data, s.len);
    if (len > 0) {
        secret_truncate(&s, (size_t)len);
        secret_move(ret, &s);
    }
    secret_free(&s);
    if (len < 0)
        return err_set(err, ERR_CANCELED, "interrupted at the passphrase");
    if (len > 0)
        return ERR_OK;
    (void)err_set(err, ERR_PASSPHRASE, "no passphrase was given");
    err_hint(err, "type one, or use --passphrase-fd N or SATCHEL_ASKPASS");
    return ERR_PASSPHRASE;
}

static int add_keys(struct fernet_job *j, const char *name, struct secret *file)
{
    const struct fernet_keys_file f = {
        .bytes = part_secret(file), .name = name, .ask = ask_passphrase, .cookie = j};

    return fernet_keys_add(&j->keys, &f, &j->err);
}

/* Everything up to the end of a descriptor: keys are read into locked memory only. */
static int read_key_fd(struct fernet_job *j)
{
    struct secret s = {0};
    size_t used = 0;
    ssize_t n = 1;
    int rc = secret_new(&s, FERNET_KEYS_FILE_MAX + 1, &j->err);

    while (rc == ERR_OK && n > 0 && used < s.len) {
        n = read(o.key_fd, s.data + used, s.len - used);
        if (n < 0)
            rc = err_sys(&j->err, errno, "cannot read keys from descriptor %d", o.key_fd);
        else
            used += (size_t)n;
    }
    if (rc == ERR_OK && used > FERNET_KEYS_FILE_MAX)
        rc = err_set(&j->err, ERR_TOOLARGE, "descriptor %d gives more than a file of keys",
                     o.key_fd);
    if (rc == ERR_OK) {
        secret_truncate(&s, used);
        rc = add_keys(j, "--key-fd", &s);
    }
    secret_free(&s);
    return rc;
}

static int read_keys(struct fernet_job *j)
{
    int rc = o.key_fd >= 0 ? read_key_fd(j) : ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < o.keys.count; i++) {
        struct secret file = {0};

        rc = fs_read_secret(o.keys.items[i], FERNET_KEYS_FILE_MAX, &file, &j->err);
        if (rc == ERR_OK)
            rc = add_keys(j, o.keys.items[i], &file);
        secret_free(&file);
    }
    if (rc == ERR_OK && j->keys.bytes.len == 0) {
        rc = err_set(&j->err, ERR_INVALID, "fernet: no key was given");
        err_hint(&j->err, "use --key FILE or --key-fd N; 'satchel fernet keygen' makes one");
    }
    return rc;
}

/* ---- writing ---- */

static int write_output(const void *data, size_t len, mode_t mode, struct err *err)
{
    int rc;

    if (o.output == NULL || strcmp(o.output, "-") == 0)
        return fs_write_all(STDOUT_FILENO, data, len, err);
    rc = o.force ? fs_replace(o.output, data, len, mode, err)
                 : fs_create(o.output, data, len, mode, err);

    if (rc == ERR_EXISTS)
        err_hint(err, "--force replaces it");
    return rc;
}

static json_t *output_path(void)
{
    return ui_json_text(o.output != NULL ? o.output : "");
}

/* With --json standard output is for objects. */
static int need_file(struct fernet_job *j, const char *what)
{
    if (!ui_json() || (o.output != NULL && strcmp(o.output, "-") != 0))
        return ERR_OK;
    return err_set(&j->err, ERR_INVALID, "fernet: with --json %s needs -o FILE", what);
}

/* ---- the actions ---- */

static int encrypt(struct fernet_job *j)
{
    struct buf token = {0};
    uint64_t now = (uint64_t)time(NULL);
    int rc = read_keys(j);

    if (rc == ERR_OK) {
        rc = fernet_seal(part_secret(&j->keys.bytes), now, NULL, part(j->in.data, j->in.len),
                         &token);
        if (rc != ERR_OK)
            (void)err_set(&j->err, rc, "cannot encrypt '%s'", j->name);
    }
    if (rc == ERR_OK && ui_json() && o.output == NULL) {
        ui_result(json_pack("{s:s#,s:I,s:o}", "token", (const char *)token.data, (int)token.len,
                            "size", (json_int_t)j->in.len, "time", ui_json_time(now * 1000)));
    } else if (rc == ERR_OK) {
        buf_u8(&token, '\n');
        rc = buf_check(&token, &j->err);
        if (rc == ERR_OK)
            rc = write_output(token.data, token.len, 0666, &j->err);
        if (rc == ERR_OK)
            ui_result(json_pack("{s:o,s:I,s:o}", "path", output_path(), "size",
                                (json_int_t)j->in.len, "time", ui_json_time(now * 1000)));
    }
    buf_free(&token);
    return rc;
}

/* Why a token did not open, for people. */
static int explain(struct fernet_job *j, int rc, size_t line)
{
    if (rc == ERR_EXPIRED)
        return err_set(&j->err, rc, "the token in '%s' is older than --ttl allows", j->name);
    if (rc != ERR_INTEGRITY)
        return err_set(&j->err, rc, "cannot decrypt '%s'", j->name);
    (void)err_set(&j->err, rc, "line %zu of '%s' is no token of these keys, or was altered", line,
                  j->name);
    err_hint(&j->err, "a token made more than %d s ahead of this clock is refused with --ttl",
             FERNET_SKEW);
    return rc;
}

/* The token on its own, or one line of several. */
static struct part trim(struct part p)
{
    const char *text = p.data;

    if (p.len > 0 && text[p.len - 1] == '\n')
        p.len--;
    if (p.len > 0 && text[p.len - 1] == '\r')
        p.len--;
    return p;
}

static int decrypt(struct fernet_job *j)
{
    struct fernet_age age = {
        .limited = o.ttl > 0, .ttl = o.ttl / 1000, .now = (uint64_t)time(NULL)};
    struct part token = trim(part(j->in.data, j->in.len));
    struct fernet_opened got = {0};
    uint8_t *plain = NULL;
    int rc = need_file(j, "decrypt");

    if (rc == ERR_OK)
        rc = read_keys(j);
    if (rc != ERR_OK)
        return rc;
    plain = malloc(token.len + 1);
    rc = plain != NULL ? fernet_open(part_secret(&j->keys.bytes), &age, token, plain, &got)
                       : ERR_NOMEM;
    if (rc != ERR_OK)
        (void)explain(j, rc, 1);
    if (rc == ERR_OK)
        rc = write_output(plain, got.len, 0600, &j->err);
    if (rc == ERR_OK)
        ui_result(json_pack("{s:o,s:I,s:o,s:I}", "path", output_path(), "size", (json_int_t)got.len,
                            "time", ui_json_time(got.at * 1000), "key", (json_int_t)got.key + 1));
    if (plain != NULL)
        secret_wipe(plain, got.len);
    free(plain); /* wiped */
    return rc;
}

/* Every line is a token. */
static int rotate(struct fernet_job *j)
{
    const char *text = (const char *)j->in.data;
    struct buf out = {0};
    size_t at = 0, lines = 0;
    int rc = need_file(j, "rotate");

    if (rc == ERR_OK)
        rc = read_keys(j);
    while (rc == ERR_OK && (at < j->in.len || lines == 0)) {
        const char *end = j->in.len > at ? memchr(text + at, '\n', j->in.len - at) : NULL;
        size_t len = end != NULL ? (size_t)(end - text) + 1 - at : j->in.len - at;

        lines++;
        rc = fernet_rotate(part_secret(&j->keys.bytes), trim(part(text + at, len)), NULL, &out);
        if (rc != ERR_OK)
            (void)explain(j, rc, lines);
        buf_u8(&out, '\n');
        at += len;
    }
    if (rc == ERR_OK)
        rc = buf_check(&out, &j->err);
    if (rc == ERR_OK)
        rc = write_output(out.data, out.len, 0666, &j->err);
    if (rc == ERR_OK)
        ui_result(json_pack("{s:o,s:I}", "path", output_path(), "tokens", (json_int_t)lines));
    buf_free(&out);
    return rc;
}

static int keygen(struct fernet_job *j)
{
    struct secret key = {0};
    struct buf salt = {0};
    int rc = need_file(j, "keygen");

    if (rc == ERR_OK)
        rc = o.passphrase ? fernet_keys_salt_file(&salt, &j->err)
                          : fernet_keys_new_file(&key, &j->err);
    if (rc == ERR_OK)
        rc = o.passphrase ? write_output(salt.data, salt.len, 0666, &j->err)
                          : write_output(key.data, key.len, 0600, &j->err);
    if (rc == ERR_OK)
        ui_result(json_pack("{s:o,s:b}", "path", output_path(), "passphrase", o.passphrase));
    if (rc == ERR_EXISTS)
        err_hint(&j->err, "tokens under its key need it; --force replaces it");
    buf_free(&salt);
    secret_free(&key);
    return rc;
}

static const struct action {
    const char *name;
    int (*run)(struct fernet_job *j);
    size_t input; /* bytes it reads at most; 0: none */
} actions[] = {
    {"encrypt", encrypt, FERNET_MAX},
    {"decrypt", decrypt, FERNET_TOKEN_MAX + 2},
    {"rotate", rotate, FERNET_TOKEN_MAX + 2},
    {"keygen", keygen, 0},
};

static int act(const struct action *a, struct cli *cli, const char *path, struct satchel_error *err)
{
    struct fernet_job j = {.cli = cli};
    int rc = a->input > 0 ? read_input(path, a->input, &j) : ERR_OK;

    if (rc == ERR_OK)
        rc = a->run(&j);
    if (rc != ERR_OK) {
        (void)cli_error(err, rc, "%s", j.err.msg);
        cli_hint(err, "%s", j.err.hint);
    }
    if (j.in.data != NULL)
        secret_wipe(j.in.data, j.in.len);
    buf_free(&j.in);
    fernet_keys_free(&j.keys);
    return rc;
}

static int run(struct cli *cli, int argc, char **argv, struct satchel_error *err)
{
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        if (strcmp(actions[i].name, argv[0]) != 0)
            continue;
        if (actions[i].input == 0 && argc > 1)
            return cli_error(err, SATCHEL_E_INVALID, "fernet %s takes no file", argv[0]);
        return act(&actions[i], cli, argc > 1 ? argv[1] : NULL, err);
    }
    return cli_error(err, SATCHEL_E_INVALID,
                     "fernet: '%s' is not one of encrypt, decrypt, rotate, keygen", argv[0]);
}

const struct cli_cmd cmd_fernet = {
    .name = "fernet",
    .args = "encrypt|decrypt|rotate|keygen [FILE] [--key FILE] [-o FILE]",
    .summary = "encrypt and decrypt local files as Fernet tokens",
    .details =
        "Tokens as the public specification has them. Without FILE standard input is read. With\n"
        "several keys the first encrypts and all decrypt; rotate takes a token a line and seals\n"
        "each anew under the first key, keeping its time. keygen makes a file with a new key, or\n"
        "with --passphrase one with the salt of a passphrase, which is then asked for; keep that\n"
        "file beside the tokens. No key is ever an argument.",
    .opts = opts,
    .min_args = 1,
    .max_args = 2,
    .needs = 0,
    .run = run,
};
