/* SPDX-License-Identifier: Apache-2.0 */
#include "server/settings.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/fs.h"
#include "common/log.h"
#include "common/net/addr.h"
#include "common/net/tls_ctx.h"
#include "common/transfer/chain.h"
#include "common/transfer/header.h"

#define SECOND     1000ULL
#define MINUTE     (60 * SECOND)
#define HOUR       (60 * MINUTE)
#define DAY        (24 * HOUR)
#define KIB        1024ULL
#define MIB        (1024 * KIB)
#define GIB        (1024 * MIB)
#define TIB        (1024 * GIB)
#define AT(member) offsetof(struct settings, member)
#define PATH_BYTES 1024
#define CERT_MAX   (1 << 20)
#define BODIES_MAX 16

static const char *const registrations[] = {"closed", "invite", "open", NULL};
static const char *const engines[] = {"lmdb", NULL};

/* Section, key, type, field, smallest, largest, words, default, required, help. */
static const struct config_option options[] = {
    {"server", "data", CONFIG_STRING, AT(data), 1, PATH_BYTES, NULL, NULL, true,
     "Folder of everything the daemon keeps, made by satcheld init"},
    {"server", "listen", CONFIG_LIST, AT(listen), 1, 16, NULL, "0.0.0.0:7743, [::]:7743", false,
     "Addresses and ports, commas between"},
    {"server", "registration", CONFIG_ENUM, AT(registration), 0, 0, registrations, "open", false,
     "Who may register; invitations come from satchelctl invite"},
    {"server", "log_level", CONFIG_ENUM, AT(log_level), 0, 0, log_levels, "info", false,
     "How much is logged"},
    {"server", "drain", CONFIG_DURATION, AT(drain), 0, HOUR, NULL, "20s", false,
     "How long a stopping daemon waits for what is under way"},

    {"tls", "certificate", CONFIG_STRING, AT(certificate), 1, PATH_BYTES, NULL, NULL, false,
     "PEM file, the daemon's certificate first; without it the self-signed one of init"},
    {"tls", "key", CONFIG_STRING, AT(key), 1, PATH_BYTES, NULL, NULL, false,
     "PEM file of its private key, not encrypted"},
    {"tls", "next_certificate", CONFIG_STRING, AT(next_certificate), 1, PATH_BYTES, NULL, NULL,
     false, "PEM file of the certificate that will replace it: clients learn its pin beforehand"},

    {"store", "engine", CONFIG_ENUM, AT(engine), 0, 0, engines, "lmdb", false, "Storage engine"},
    {"store", "bodies", CONFIG_INT, AT(bodies), 1, BODIES_MAX, NULL, "1", false,
     "Body environments; fixed when the store is made"},
    {"store", "index_max", CONFIG_SIZE, AT(index_max), 16 * MIB, 16 * TIB, NULL, "64G", false,
     "Ceiling of the index"},
    {"store", "body_max", CONFIG_SIZE, AT(body_max), 16 * MIB, 64 * TIB, NULL, "16T", false,
     "Ceiling of each body environment"},
    {"store", "quota", CONFIG_SIZE, AT(quota), 0, 1024 * TIB, NULL, "20G", false,
     "Mailbox size of new users"},
    {"store", "lease", CONFIG_DURATION, AT(lease), MINUTE, 90 * DAY, NULL, "7d", false,
     "An upload nobody goes on with is given up after this time"},

    {"limits", "connections", CONFIG_INT, AT(connections), 1, 1000000, NULL, "4096", false,
     "Connections in all"},
    {"limits", "connections_per_address", CONFIG_INT, AT(connections_per_address), 1, 1000000, NULL,
     "256", false, "Connections from one IPv4 address or one IPv6 /64"},
    {"limits", "handshakes", CONFIG_INT, AT(handshakes), 1, 100000, NULL, "500", false,
     "New connections a second, in all"},
    {"limits", "handshakes_per_address", CONFIG_INT, AT(handshakes_per_address), 1, 100000, NULL,
     "100", false, "New connections a second from one IPv4 address or one IPv6 /64"},
    {"limits", "registrations", CONFIG_INT, AT(registrations), 1, 100000, NULL, "240", false,
     "Registrations an hour from one address"},
    {"limits", "requests", CONFIG_INT, AT(requests), 1, 1000000, NULL, "4000", false,
     "Requests a second of one user, pieces not counted"},
    {"limits", "lookups", CONFIG_INT, AT(lookups), 1, 1000000, NULL, "600", false,
     "Look-ups of other users a minute by one user"},
    {"limits", "releases", CONFIG_INT, AT(releases), 1, 1000000, NULL, "6000", false,
     "Releases a minute for one user"},
    {"limits", "manifests", CONFIG_INT, AT(manifests), 1, CHAIN_MAX, NULL, "20", false,
     "New manifests of one user a day; those that only revoke devices are not counted"},
    {"limits", "uploads", CONFIG_INT, AT(uploads), 1, 100000, NULL, "256", false,
     "Unfinished uploads of one user"},
    {"limits", "queued", CONFIG_SIZE, AT(queued), MIB, GIB, NULL, "16M", false,
     "Bytes under way for one connection; above it nothing more is read from it"},
    {"limits", "queued_total", CONFIG_SIZE, AT(queued_total), 4 * MIB, 64 * GIB, NULL, "32M", false,
     "The same for all connections together; those of one user have at most half of it"},
    {"limits", "max_transfer", CONFIG_SIZE, AT(max_transfer), 4 * KIB, 256 * TIB, NULL, "1T", false,
     "Largest transfer, in bytes of padded plaintext"},
    {"limits", "max_recipients", CONFIG_INT, AT(max_recipients), 1, 256, NULL, "256", false,
     "Recipients of one transfer, the sender not counted"},
    {"limits", "min_lifetime", CONFIG_DURATION, AT(min_lifetime), SECOND, 30 * DAY, NULL, "1m",
     false, "Shortest time until a transfer expires"},
    {"limits", "max_lifetime", CONFIG_DURATION, AT(max_lifetime), MINUTE, 3660 * DAY, NULL, "30d",
     false, "Longest time until a transfer expires"},
    {"limits", "window", CONFIG_INT, AT(window), 1, 64, NULL, "48", false,
     "Pieces under way on one connection"},
    {"limits", "page", CONFIG_INT, AT(page), 1, 200, NULL, "50", false, "Rows of a listing"},

    {"timeouts", "handshake", CONFIG_DURATION, AT(handshake), SECOND, 5 * MINUTE, NULL, "10s",
     false, "Until TLS is set up"},
    {"timeouts", "login", CONFIG_DURATION, AT(login), SECOND, 10 * MINUTE, NULL, "30s", false,
     "Until a connection has logged in"},
    {"timeouts", "idle", CONFIG_DURATION, AT(idle), 5 * SECOND, DAY, NULL, "10m", false,
     "A connection without a request is closed"},
    {"timeouts", "stall", CONFIG_DURATION, AT(stall), SECOND, HOUR, NULL, "60s", false,
     "A frame that does not go on, in or out, ends the connection"},
    {"timeouts", "store", CONFIG_DURATION, AT(store), 100, 10 * MINUTE, NULL, "30s", false,
     "A request that the store does not answer in this time is BUSY"},
};

static void check_together(const void *values, struct config_report *rep);

const struct config_schema settings_schema = {options, sizeof(options) / sizeof(options[0]),
                                              sizeof(struct settings), check_together};

const char *settings_registration_name(const struct settings *s)
{
    return registrations[s->registration];
}

static const char *const names[SETTINGS_NAMES] = {
    [SETTINGS_SERVER_KEY] = "server.key",
    [SETTINGS_TLS_KEY] = "tls.key",
    [SETTINGS_TLS_CERT] = "tls.crt",
    [SETTINGS_HEDGE_KEY] = "hedge.key",
    [SETTINGS_WEIGHTS] = "keynet.weights",
    [SETTINGS_CARD] = "keynet.card",
    [SETTINGS_NEXT_WEIGHTS] = "keynet.next",
    [SETTINGS_NEXT_CARD] = "keynet.next.card",
    [SETTINGS_INSTANCES] = "instances",
    [SETTINGS_ERASABLE] = "erasable.keys",
    [SETTINGS_STORE] = "store",
    [SETTINGS_FACTOR_KEY] = "factors.key",
    [SETTINGS_SOCKET] = "satcheld.sock",
    [SETTINGS_CONFIG] = "satcheld.conf",
};

/* Complain on the line where the option at ${offset} stands. */
static void complain_at(struct config_report *rep, size_t offset, const char *msg, const char *hint)
{
    config_complain(rep, config_line(&settings_schema, rep, offset), msg, hint);
}

static void check_listen(const struct settings *s, struct config_report *rep)
{
    for (size_t i = 0; i < s->listen.n; i++) {
        struct addr a;
        struct err why = {0};

        if (addr_parse_listen(&a, s->listen.items[i], &why) != ERR_OK)
            complain_at(rep, AT(listen), why.msg, "in 'listen' of [server]; as in 0.0.0.0:7743");
    }
}

/* Two that have an order, and what to say if they have another. */
static const struct {
    size_t low, high;
    const char *msg;
} ordered[] = {
    {AT(min_lifetime), AT(max_lifetime), "'min_lifetime' is above 'max_lifetime' in [limits]"},
    {AT(queued), AT(queued_total), "'queued' is above 'queued_total' in [limits]"},
    {AT(connections_per_address), AT(connections),
     "'connections_per_address' is above 'connections' in [limits]"},
};

static uint64_t number_at(const struct settings *s, size_t offset)
{
    uint64_t n;

    memcpy(&n, (const char *)s + offset, sizeof(n));
    return n;
}

static void check_order(const struct settings *s, struct config_report *rep)
{
    for (size_t i = 0; i < sizeof(ordered) / sizeof(ordered[0]); i++) {
        size_t low = ordered[i].low, high = ordered[i].high;

        if (!config_usable(&settings_schema, rep, low) ||
            !config_usable(&settings_schema, rep, high) || number_at(s, low) <= number_at(s, high))
            continue;
        complain_at(rep, config_line(&settings_schema, rep, low) > 0 ? low : high, ordered[i].msg,
                    NULL);
    }
}

/* Rules that one option alone cannot break. */
static void check_together(const void *values, struct config_report *rep)
{
    const struct settings *s = values;

    check_listen(s, rep);
    if (s->data != NULL && s->data[0] != '/')
        complain_at(rep, AT(data), "'data' of [server] does not begin with '/'",
                    "write the whole path");
    if (config_usable(&settings_schema, rep, AT(certificate)) &&
        config_usable(&settings_schema, rep, AT(key)) &&
        (s->certificate == NULL) != (s->key == NULL))
        complain_at(rep, s->certificate != NULL ? AT(certificate) : AT(key),
                    "'certificate' and 'key' of [tls] go together", "name both or neither");
    check_order(s, rep);
}

int settings_read(const char *path, struct settings *ret_s, struct config_report *rep,
                  struct err *err)
{
    return config_read(&settings_schema, path, ret_s, rep, err);
}

/* As far as the text lets one see where the files should be. */
static void check_all(const void *values, struct config_report *rep)
{
    const struct settings *s = values;

    check_together(s, rep);
    if (s->data != NULL && s->data[0] == '/')
        settings_check_files(s, rep);
}

int settings_check(const char *path, struct config_report *rep, struct err *err)
{
    struct config_schema schema = settings_schema;
    struct settings s;
    int rc;

    schema.check = check_all;
    rc = config_read(&schema, path, &s, rep, err);
    if (rc == ERR_OK)
        settings_free(&s);
    return rc;
}

static int replace(char **to, const char *from)
{
    free(*to);
    *to = strdup(from);
    return *to != NULL ? ERR_OK : ERR_NOMEM;
}

int settings_defaults(const char *data, const char *listen, struct settings *ret_s, struct err *err)
{
    static const char text[] = "[server]\ndata = /\n";
    struct config_report rep;
    struct settings s;
    int rc = config_parse(&settings_schema, text, sizeof(text) - 1, &s, &rep);

    if (rc == ERR_OK)
        rc = replace(&s.data, data);
    if (rc == ERR_OK && listen != NULL) {
        while (s.listen.n > 1)
            free(s.listen.items[--s.listen.n]);
        rc = replace(&s.listen.items[0], listen);
    }
    if (rc != ERR_OK) {
        settings_free(&s);
        return err_set(err, rc, "cannot set up the default settings");
    }
    *ret_s = s;
    return ERR_OK;
}

static void check_file(const char *path, const char *hint, struct config_report *rep)
{
    char msg[192];

    if (path != NULL && fs_exists(path))
        return;
    (void)snprintf(msg, sizeof(msg), "'%.150s' does not exist", path != NULL ? path : "");
    config_complain(rep, 0, msg, hint);
}

static void check_tls(const struct settings *s, struct config_report *rep)
{
    char *cert = settings_cert_path(s), *key = settings_key_path(s);
    struct err err = {0};
    SSL_CTX *ctx = NULL;

    if (cert != NULL && key != NULL && tls_ctx_server_files(&ctx, cert, key, &err) != ERR_OK)
        complain_at(rep, AT(certificate), err.msg, "see [tls]");
    SSL_CTX_free(ctx);
    free(cert);
    free(key);
}

unsigned settings_made_bodies(const struct settings *s)
{
    char *store = settings_file(s->data, SETTINGS_STORE);
    unsigned n = 0;
    bool there = store != NULL;

    while (there && n < BODIES_MAX) {
        char name[16], *path;

        (void)snprintf(name, sizeof(name), "bodies-%02u", n);
        path = fs_join(store, name);
        there = path != NULL && fs_exists(path);
        n += there;
        free(path);
    }
    free(store);
    return n;
}

/* One that was left out is whatever the store was made with. */
static void check_bodies(const struct settings *s, struct config_report *rep)
{
    unsigned made = settings_made_bodies(s);
    char msg[128];

    if (made == 0 || s->bodies == made || !config_usable(&settings_schema, rep, AT(bodies)) ||
        config_line(&settings_schema, rep, AT(bodies)) == 0)
        return;
    (void)snprintf(msg, sizeof(msg), "'bodies' is %" PRIu64 ", but the store was made with %u",
                   s->bodies, made);
    complain_at(rep, AT(bodies), msg, "it is fixed when the store is made; write that number");
}

int settings_next_pin(const struct settings *s, struct pin *ret_pin, bool *ret_has, struct err *err)
{
    struct buf pem = {0};
    int rc;

    *ret_has = false;
    if (s->next_certificate == NULL)
        return ERR_OK;
    rc = fs_read(s->next_certificate, CERT_MAX, &pem, err);
    if (rc == ERR_OK) {
        rc = pin_of_pem(ret_pin, pem.data, pem.len, err);
        if (rc != ERR_OK)
            err_wrap(err, "'%s'", s->next_certificate);
    }
    *ret_has = rc == ERR_OK;
    buf_free(&pem);
    return rc;
}

bool settings_check_files(const struct settings *s, struct config_report *rep)
{
    static const enum settings_name needed[] = {SETTINGS_SERVER_KEY, SETTINGS_HEDGE_KEY,
                                                SETTINGS_WEIGHTS, SETTINGS_ERASABLE,
                                                SETTINGS_STORE};
    size_t before = rep->total;
    struct err err = {0};
    struct pin next;
    bool has_next;

    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
        char *path = settings_file(s->data, needed[i]);

        check_file(path, "make the data folder with satcheld init --data DIR", rep);
        free(path);
    }
    if ((s->certificate == NULL) == (s->key == NULL))
        check_tls(s, rep);
    check_bodies(s, rep);
    if (settings_next_pin(s, &next, &has_next, &err) != ERR_OK)
        complain_at(rep, AT(next_certificate), err.msg, "see 'next_certificate' in [tls]");
    return rep->total == before;
}

void settings_free(struct settings *s)
{
    config_free(&settings_schema, s);
}

char *settings_file(const char *data, enum settings_name name)
{
    return fs_join(data, names[name]);
}

char *settings_cert_path(const struct settings *s)
{
    return s->certificate != NULL ? strdup(s->certificate)
                                  : settings_file(s->data, SETTINGS_TLS_CERT);
}

char *settings_key_path(const struct settings *s)
{
    return s->key != NULL ? strdup(s->key) : settings_file(s->data, SETTINGS_TLS_KEY);
}
