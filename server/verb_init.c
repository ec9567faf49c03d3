/* SPDX-License-Identifier: Apache-2.0 */
/*
 * satcheld init: make everything a daemon needs.
 *
 * The identity key is written last: a folder that has it is initialised, and
 * refused.  One that has not may hold pieces of an earlier attempt; they are made
 * again.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/crypto/ed25519.h"
#include "common/crypto/rng.h"
#include "common/fs.h"
#include "common/net/addr.h"
#include "common/net/pin.h"
#include "common/net/tls_cert.h"
#include "common/net/tls_ctx.h"
#include "server/daemon.h"
#include "server/hedge.h"
#include "server/settings.h"
#include "server/store/erasable_file.h"
#include "server/store/store.h"
#include "server/train.h"
#include "server/verb.h"

enum { DIR_MODE = 0700, SECRET_MODE = 0600, PUBLIC_MODE = 0644, HOST_MAX = 256 };

/* One initialisation. */
struct init {
    const struct verb_opts *o;
    char *data; /* the whole path */
    char *paths[SETTINGS_NAMES];
    char *config; /* path */
    bool keep_config;
    struct settings settings;
};

static void init_free(struct init *in)
{
    for (int i = 0; i < SETTINGS_NAMES; i++)
        free(in->paths[i]);
    free(in->data);
    free(in->config);
    settings_free(&in->settings);
}

/* What is wrong with them leaves nothing behind. */
static int check_options(const struct verb_opts *o, struct err *err)
{
    struct addr a;
    int rc = o->listen != NULL ? addr_parse_listen(&a, o->listen, err) : ERR_OK;

    if (rc != ERR_OK) {
        err_wrap(err, "--listen '%s'", o->listen);
        err_hint(err, "an address of this machine and a port, such as 0.0.0.0:7743 or [::1]:7743");
    }
    return rc;
}

/* ---- the folder ---- */

static int make_folder(struct init *in, struct err *err)
{
    int rc = fs_mkdirs(in->o->data, DIR_MODE, err);

    if (rc == ERR_OK && (in->data = realpath(in->o->data, NULL)) == NULL)
        rc = err_sys(err, errno, "cannot use '%s'", in->o->data);
    for (int i = 0; rc == ERR_OK && i < SETTINGS_NAMES; i++)
        if ((in->paths[i] = settings_file(in->data, (enum settings_name)i)) == NULL)
            rc = err_set(err, ERR_NOMEM, "out of memory");
    if (rc == ERR_OK && fs_exists(in->paths[SETTINGS_SERVER_KEY])) {
        rc = err_set(err, ERR_EXISTS, "'%s' is initialised already", in->data);
        err_hint(err,
                 "start the daemon, or name another folder: a second init would lose all keys");
    }
    if (rc == ERR_OK && chmod(in->data, DIR_MODE) != 0)
        rc = err_sys(err, errno, "cannot set the mode of '%s'", in->data);
    return rc;
}

/* ---- settings ---- */

/* The path as it will be found from anywhere; free() it. */
static char *whole_path(const char *path)
{
    char here[4096];

    if (path[0] == '/')
        return strdup(path);
    return getcwd(here, sizeof(here)) != NULL ? fs_join(here, path) : NULL;
}

static int set_path(char **to, const char *path, struct err *err)
{
    if (path == NULL)
        return ERR_OK;
    *to = whole_path(path);
    return *to != NULL ? ERR_OK : err_set(err, ERR_NOMEM, "out of memory");
}

/* A file that is named and there already is the operator's own: it stays. */
static int read_own_config(struct init *in, struct err *err)
{
    struct config_report rep;
    int rc = settings_read(in->config, &in->settings, &rep, err);

    if (rc == ERR_OK && strcmp(in->settings.data, in->data) != 0) {
        rc = err_set(err, ERR_EXISTS, "'%s' is the settings file of '%s'", in->config,
                     in->settings.data);
        err_hint(err, "name another file with --config");
    }
    in->keep_config = rc == ERR_OK;
    return rc;
}

static int make_settings(struct init *in, struct err *err)
{
    int rc = set_path(&in->config,
                      in->o->config != NULL ? in->o->config : in->paths[SETTINGS_CONFIG], err);

    if (rc != ERR_OK)
        return rc;
    if (in->o->config != NULL && fs_exists(in->config))
        return read_own_config(in, err);
    rc = settings_defaults(in->data, in->o->listen, &in->settings, err);
    if (rc == ERR_OK)
        rc = set_path(&in->settings.certificate, in->o->certificate, err);
    if (rc == ERR_OK)
        rc = set_path(&in->settings.key, in->o->key, err);
    return rc;
}

static int write_config(const struct init *in, struct err *err)
{
    struct buf b = {0};
    int rc;

    if (in->keep_config)
        return ERR_OK;
    rc = config_dump(&settings_schema, &in->settings, true, &b, err);
    if (rc == ERR_OK)
        rc = fs_replace(in->config, b.data, b.len, SECRET_MODE, err);
    buf_free(&b);
    return rc;
}

/* ---- TLS ---- */

static int make_certificate(const struct init *in, struct err *err)
{
    char host[HOST_MAX] = "";
    const char *names[3] = {"localhost"};
    struct secret key = {0};
    struct buf cert = {0};
    struct addr a;
    size_t n = 1;
    int rc;

    if (gethostname(host, sizeof(host) - 1) == 0 && addr_parse(&a, host, NULL) == ERR_OK)
        names[n++] = host;
    if (in->o->listen != NULL && addr_parse_listen(&a, in->o->listen, NULL) == ERR_OK)
        names[n++] = a.host;
    rc = tls_cert_make("satcheld", names, n, &key, &cert, err);
    if (rc == ERR_OK)
        rc = fs_replace(in->paths[SETTINGS_TLS_KEY], key.data, key.len, SECRET_MODE, err);
    if (rc == ERR_OK)
        rc = fs_replace(in->paths[SETTINGS_TLS_CERT], cert.data, cert.len, PUBLIC_MODE, err);
    secret_free(&key);
    buf_free(&cert);
    return rc;
}

/* The certificate in use: ours, or the one that was named. */
static int set_up_tls(const struct init *in, struct err *err)
{
    SSL_CTX *ctx = NULL;
    int rc;

    if (in->settings.certificate == NULL)
        return make_certificate(in, err);
    rc = tls_ctx_server_files(&ctx, in->settings.certificate, in->settings.key, err);
    SSL_CTX_free(ctx);
    return rc;
}

static int print_pin(const struct init *in, struct err *err)
{
    char text[PIN_CHARS + 1], *path = settings_cert_path(&in->settings);
    struct buf pem = {0};
    struct pin pin;
    int rc =
        path != NULL ? fs_read(path, 1 << 20, &pem, err) : err_set(err, ERR_NOMEM, "out of memory");

    if (rc == ERR_OK)
        rc = pin_of_pem(&pin, pem.data, pem.len, err);
    if (rc == ERR_OK) {
        pin_encode(&pin, text);
        printf("pin: %s\n", text);
    }
    buf_free(&pem);
    free(path);
    return rc;
}

/* ---- stores and keys ---- */

static int make_stores(const struct init *in, struct err *err)
{
    struct store_config cfg = {.engine = "lmdb",
                               .path = in->paths[SETTINGS_STORE],
                               .index_max = in->settings.index_max,
                               .body_max = in->settings.body_max,
                               .bodies = (unsigned)in->settings.bodies};
    struct store *store = NULL;
    int rc;

    (void)unlink(in->paths[SETTINGS_HEDGE_KEY]);
    (void)unlink(in->paths[SETTINGS_ERASABLE]);
    rc = hedge_create(in->paths[SETTINGS_HEDGE_KEY], err);
    if (rc == ERR_OK)
        rc = erasable_file_create(in->paths[SETTINGS_ERASABLE], daemon_time(), err);
    if (rc == ERR_OK)
        rc = store_open(&store, &cfg, err);
    store_close(store);
    return rc;
}

static int make_identity(const struct init *in, struct err *err)
{
    struct secret seed = {0};
    int rc = secret_new(&seed, ED25519_SEED_LEN, err);

    if (rc == ERR_OK && rng_bytes(seed.data, seed.len) != ERR_OK)
        rc = err_set(err, ERR_INTERNAL, "the random number generator failed");
    if (rc == ERR_OK)
        rc = fs_create(in->paths[SETTINGS_SERVER_KEY], seed.data, seed.len, SECRET_MODE, err);
    secret_free(&seed);
    return rc;
}

static int print_result(const struct init *in, struct err *err)
{
    int rc;

    printf("initialised %s\n", in->data);
    rc = print_pin(in, err);
    if (rc != ERR_OK)
        return rc;
    if (in->settings.registration == SETTINGS_OPEN)
        printf("registration is open to whoever reaches the daemon; see 'registration' in %s\n",
               in->config);
    printf("next: satcheld --config %s\n", in->config);
    return ERR_OK;
}

int verb_init(const struct verb_opts *o, struct err *err)
{
    struct init in = {.o = o};
    int rc = check_options(o, err);

    if (rc == ERR_OK)
        rc = make_folder(&in, err);
    if (rc == ERR_OK)
        rc = make_settings(&in, err);
    if (rc == ERR_OK)
        rc = set_up_tls(&in, err);
    if (rc == ERR_OK)
        rc = train_instance(in.paths[SETTINGS_WEIGHTS], in.paths[SETTINGS_CARD], NULL, err);
    if (rc == ERR_OK)
        rc = make_stores(&in, err);
    if (rc == ERR_OK)
        rc = write_config(&in, err);
    if (rc == ERR_OK)
        rc = make_identity(&in, err);
    if (rc == ERR_OK)
        rc = print_result(&in, err);
    init_free(&in);
    return rc;
}
