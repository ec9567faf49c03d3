/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: open in the order in which things need each other -> READY ->
 * serve -> stop -> the last connection has gone -> collector, port and share
 * service end, in this order -> ctl, timer and signals -> the loop is empty ->
 * the store is closed.
 *
 * A failure while opening goes the second half of the same way.
 */
#include "server/service.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "common/crypto/ed25519.h"
#include "common/crypto/kdf.h"
#include "common/crypto/rng.h"
#include "common/fs.h"
#include "common/log.h"
#include "common/net/tls_ctx.h"
#include "server/call.h"
#include "server/collector.h"
#include "server/ctl.h"
#include "server/daemon.h"
#include "server/joins.h"
#include "server/listeners.h"
#include "server/notify.h"
#include "server/reload.h"
#include "server/uploads.h"
#include "server/watch.h"

static const int watched[] = {SIGTERM, SIGINT, SIGHUP}; /* two stop, the last reloads */

enum { TICK_MS = 1000, DRAIN_TICK_MS = 50, FD_SPARE = 256, SLOW_MS = 5000 };

/* ---- the end ---- */

static void on_handle_closed(uv_handle_t *h)
{
    (void)h;
}

/*
 * All asynchronous parts have ended: let the loop run empty.  Without its watchers a second
 * SIGTERM would kill us while the store closes.
 */
static void close_handles(struct daemon *d)
{
    net_loop_free(d->net);
    d->net = NULL;
    for (; d->handles > 0; d->handles--)
        uv_close(d->handles == 1 ? (uv_handle_t *)&d->tick
                                 : (uv_handle_t *)&d->signals[d->handles - 2],
                 on_handle_closed);
    for (size_t i = 0; i < sizeof(watched) / sizeof(watched[0]); i++)
        (void)signal(watched[i], SIG_IGN);
}

static void on_shares_stopped(void *arg)
{
    struct daemon *d = arg;

    d->shares = NULL;
    close_handles(d);
}

static void on_port_closed(void *arg)
{
    struct daemon *d = arg;

    d->port = NULL;
    if (d->shares != NULL)
        shares_stop(d->shares, on_shares_stopped, d);
    else
        close_handles(d);
}

static void on_ctl_closed(void *arg)
{
    struct daemon *d = arg;

    d->ctl = NULL;
    if (d->port != NULL)
        store_port_close(d->port, on_port_closed, d);
    else
        on_port_closed(d);
}

static void on_collector_stopped(void *arg)
{
    struct daemon *d = arg;

    collector_free(d->collector);
    d->collector = NULL;
    if (d->ctl != NULL)
        ctl_close(d->ctl, on_ctl_closed, d);
    else
        on_ctl_closed(d);
}

/* No connection is left, nobody will ask for anything. */
static void begin_teardown(struct daemon *d)
{
    if (d->collector != NULL)
        collector_stop(d->collector, on_collector_stopped, d);
    else
        on_collector_stopped(d);
}

static void free_daemon(struct daemon *d)
{
    store_close(d->store);
    uploads_free(d->uploads);
    watches_free(d->watches);
    joins_free(d->joins);
    daemon_close_limits(d);
    SSL_CTX_free(d->tls);
    secret_free(&d->factor_key);
    buf_free(&d->scratch);
    secret_free(&d->key_seed);
    settings_free(&d->settings);
    free(d->config_path);
    if (d->loop != NULL && uv_loop_close(d->loop) != 0)
        log_plain(LOG_AT_ERROR, "loop_not_empty");
    free(d->loop);
    free(d);
}

/* ---- drain ---- */

static void on_tick(uv_timer_t *t);

/* To all but those that are moving pieces: their transfers may end first. */
static void say_goodbye(struct daemon *d)
{
    for (struct conn *conn = d->conns, *next; conn != NULL; conn = next) {
        next = conn->next;
        if (!conn_is_busy(conn))
            conn_farewell(conn, "the daemon is stopping", daemon_retry_after(d));
    }
}

void service_stop(struct daemon *d)
{
    if (daemon_draining(d)) {
        d->drain_until = uv_now(d->loop);
        return;
    }
    d->drain_until = uv_now(d->loop) + d->settings.drain + 1;
    log_event(LOG_AT_INFO, "draining", log_num("connections", d->n_conns));
    notify_send("STOPPING=1\nSTATUS=Draining");
    listeners_close(d->listeners);
    d->listeners = NULL;
    (void)uv_timer_start(&d->tick, on_tick, 0, DRAIN_TICK_MS);
    say_goodbye(d);
}

static void cut_off(struct daemon *d)
{
    for (struct conn *conn = d->conns, *next; conn != NULL; conn = next) {
        next = conn->next;
        conn_drop(conn, ERR_DRAINING);
    }
}

/* ---- once a second ---- */

/*
 * Frames that never end take memory that is under no other limit.  When all of them together have
 * too much, those who have sent no whole one for a while must go; a peer that is only slow is hit
 * only then.
 */
static void shed_partial(struct daemon *d, uint64_t now)
{
    size_t sum = 0, dropped = 0;

    for (const struct conn *conn = d->conns; conn != NULL; conn = conn->next)
        sum += conn->stream != NULL ? stream_partial(conn->stream) : 0;
    if (sum <= d->settings.queued_total)
        return;
    for (struct conn *conn = d->conns, *next; conn != NULL; conn = next) {
        next = conn->next;
        if (conn->stream == NULL || stream_partial(conn->stream) == 0 || now - conn->used < SLOW_MS)
            continue;
        conn_drop(conn, ERR_LIMIT);
        dropped++;
    }
    if (dropped > 0)
        log_event(LOG_AT_WARN, "slow_peers_dropped", log_num("n", dropped), log_num("bytes", sum));
}

static void say_status(const struct daemon *d)
{
    char text[96];

    (void)snprintf(text, sizeof(text), "%sSTATUS=%zu connections%s",
                   d->watchdog > 0 ? "WATCHDOG=1\n" : "", d->n_conns,
                   daemon_draining(d) ? ", draining" : "");
    notify_send(text);
}

static void on_tick(uv_timer_t *t)
{
    struct daemon *d = t->data;
    uint64_t now = uv_now(d->loop);

    for (struct conn *conn = d->conns, *next; conn != NULL; conn = next) {
        next = conn->next;
        conn_tick(conn, now);
    }
    joins_tick(d->joins, now);
    shed_partial(d, now);
    say_status(d);
    if (d->refused > d->refused_told)
        log_event(LOG_AT_WARN, "connections_refused", log_num("n", d->refused - d->refused_told));
    d->refused_told = d->refused;
    if (!daemon_draining(d))
        return;
    say_goodbye(d);
    if (d->n_conns > 0 && now >= d->drain_until)
        cut_off(d);
    if (d->n_conns == 0 && d->n_calls == 0) {
        uv_timer_stop(t);
        begin_teardown(d);
    }
}

static void on_signal(uv_signal_t *s, int number)
{
    struct daemon *d = s->data;

    if (number == SIGHUP) {
        struct reload_told told = {0};

        (void)reload_settings(d, &told);
        reload_told_free(&told);
    } else {
        service_stop(d);
    }
}

/* ---- the beginning ---- */

static int load_identity(struct daemon *d, struct err *err)
{
    char *path = settings_file(d->settings.data, SETTINGS_SERVER_KEY);
    struct secret seed = {0};
    int rc = path != NULL ? fs_read_secret(path, ED25519_SEED_LEN, &seed, err)
                          : err_set(err, ERR_NOMEM, "out of memory");

    if (rc == ERR_NOTFOUND)
        err_hint(err, "make the data folder with satcheld init --data DIR");
    if (rc == ERR_OK && seed.len != ED25519_SEED_LEN)
        rc = err_set(err, ERR_CORRUPT, "'%s' is not a server key", path);
    if (rc == ERR_OK &&
        (ed25519_public(d->key, seed.data) != ERR_OK || ids_server(d->key, &d->id) != ERR_OK))
        rc = err_set(err, ERR_INTERNAL, "cannot use the server key");
    if (rc == ERR_OK)
        d->key_seed = seed;
    else
        secret_free(&seed);
    free(path);
    return rc;
}

/* Made when it is missing: a daemon of before had none, and needs it only from now on. */
static int load_factor_key(struct daemon *d, struct err *err)
{
    char *path = settings_file(d->settings.data, SETTINGS_FACTOR_KEY);
    struct secret fresh = {0};
    int rc = path != NULL ? fs_read_secret(path, KDF_LEN, &d->factor_key, err)
                          : err_set(err, ERR_NOMEM, "out of memory");

    if (rc == ERR_NOTFOUND) {
        rc = secret_new(&fresh, KDF_LEN, err);
        if (rc == ERR_OK && rng_bytes(fresh.data, fresh.len) != ERR_OK)
            rc = err_set(err, ERR_INTERNAL, "the random number generator failed");
        if (rc == ERR_OK)
            rc = fs_create(path, fresh.data, fresh.len, 0600, err);
        if (rc == ERR_OK)
            secret_move(&d->factor_key, &fresh);
    }
    if (rc == ERR_OK && d->factor_key.len != KDF_LEN)
        rc = err_set(err, ERR_CORRUPT, "'%s' is not a factor key", path);
    secret_free(&fresh);
    free(path);
    return rc;
}

static int load_tls(struct daemon *d, struct err *err)
{
    char *cert = settings_cert_path(&d->settings), *key = settings_key_path(&d->settings);
    int rc = err_set(err, ERR_NOMEM, "out of memory");

    if (cert != NULL && key != NULL)
        rc = tls_ctx_server_files(&d->tls, cert, key, err);
    if (rc == ERR_OK)
        rc = settings_next_pin(&d->settings, &d->next_pin, &d->has_next_pin, err);
    free(cert);
    free(key);
    return rc;
}

static void on_room(void *arg)
{
    call_on_room(arg);
}

/* The store goes on with the number it was made with, whatever the settings say. */
static void tell_bodies(const struct settings *s)
{
    unsigned made = settings_made_bodies(s);

    if (made > 0 && made != s->bodies)
        log_event(LOG_AT_WARN, "bodies_fixed", log_num("made_with", made),
                  log_num("setting", s->bodies));
}

static int open_store(struct daemon *d, struct err *err)
{
    char *path = settings_file(d->settings.data, SETTINGS_STORE);
    struct store_config cfg = {.engine = "lmdb",
                               .path = path,
                               .index_max = d->settings.index_max,
                               .body_max = d->settings.body_max,
                               .bodies = (unsigned)d->settings.bodies};
    int rc =
        path != NULL ? store_open(&d->store, &cfg, err) : err_set(err, ERR_NOMEM, "out of memory");

    if (rc == ERR_OK)
        tell_bodies(&d->settings);
    if (rc == ERR_OK)
        rc = store_port_open(&d->port, d->store, d->loop, err);
    if (rc == ERR_OK)
        store_port_on_room(d->port, on_room, d);
    free(path);
    return rc;
}

static int start_shares(struct daemon *d, struct err *err)
{
    static const enum settings_name names[] = {
        SETTINGS_WEIGHTS,   SETTINGS_NEXT_WEIGHTS, SETTINGS_INSTANCES, SETTINGS_CARD,
        SETTINGS_NEXT_CARD, SETTINGS_ERASABLE,     SETTINGS_HEDGE_KEY};
    enum { NAMES = sizeof(names) / sizeof(names[0]) };
    char *paths[NAMES] = {NULL};
    struct shares_config cfg = {.loop = d->loop};
    int rc = ERR_OK;

    for (size_t i = 0; i < NAMES; i++)
        if ((paths[i] = settings_file(d->settings.data, names[i])) == NULL)
            rc = err_set(err, ERR_NOMEM, "out of memory");
    cfg.instances = (struct instance_paths){paths[0], paths[1], paths[2], paths[3], paths[4]};
    cfg.erasable = paths[5];
    cfg.hedge = paths[6];
    if (rc == ERR_OK)
        rc = shares_start(&d->shares, &cfg, err);
    if (rc == ERR_OK)
        shares_on_room(d->shares, on_room, d);
    for (size_t i = 0; i < NAMES; i++)
        free(paths[i]);
    return rc;
}

static int start_timer_and_signals(struct daemon *d, struct err *err)
{
    uint64_t period;

    (void)uv_timer_init(d->loop, &d->tick);
    d->tick.data = d;
    d->handles = 1;
    for (size_t i = 0; i < 3; i++) {
        (void)uv_signal_init(d->loop, &d->signals[i]);
        d->signals[i].data = d;
        d->handles++;
        if (uv_signal_start(&d->signals[i], on_signal, watched[i]) != 0)
            return err_set(err, ERR_IO, "cannot watch signals");
    }
    d->watchdog = notify_watchdog();
    period = d->watchdog > 0 && d->watchdog / 2 < TICK_MS ? d->watchdog / 2 : TICK_MS;
    (void)uv_timer_start(&d->tick, on_tick, period, period);
    return ERR_OK;
}

static int open_parts(struct daemon *d, struct err *err)
{
    int rc = load_identity(d, err);

    if (rc == ERR_OK)
        rc = load_factor_key(d, err);
    if (rc == ERR_OK)
        rc = load_tls(d, err);
    if (rc == ERR_OK)
        rc = daemon_open_limits(d, err);
    if (rc == ERR_OK)
        rc = uploads_new(&d->uploads, err);
    if (rc == ERR_OK)
        rc = watches_new(&d->watches, err);
    if (rc == ERR_OK)
        rc = joins_new(&d->joins, err);
    if (rc == ERR_OK)
        rc = net_loop_new(&d->net, d->loop, err);
    if (rc == ERR_OK)
        rc = open_store(d, err);
    if (rc == ERR_OK)
        rc = start_shares(d, err);
    if (rc == ERR_OK)
        rc = collector_new(&d->collector, d, err);
    if (rc == ERR_OK)
        rc = start_timer_and_signals(d, err);
    if (rc == ERR_OK)
        rc = ctl_open(&d->ctl, d, err);
    if (rc == ERR_OK)
        rc = listeners_open(&d->listeners, d, err);
    return rc;
}

/* As many descriptors as connections may come, if the system lets us. */
static void raise_descriptors(const struct settings *s)
{
    struct rlimit lim;
    rlim_t want = (rlim_t)s->connections + FD_SPARE;

    if (getrlimit(RLIMIT_NOFILE, &lim) != 0 || lim.rlim_cur >= want)
        return;
    lim.rlim_cur = lim.rlim_max < want ? lim.rlim_max : want;
    if (setrlimit(RLIMIT_NOFILE, &lim) != 0 || lim.rlim_cur < want)
        log_event(LOG_AT_WARN, "few_descriptors", log_num("have", lim.rlim_cur),
                  log_num("want", want));
}

static void say_started(const struct daemon *d)
{
    const char *address;

    for (size_t i = 0; (address = listeners_address(d->listeners, i)) != NULL; i++)
        log_event(LOG_AT_INFO, "listening", log_str("address", address));
    log_event(LOG_AT_INFO, "started", log_str("version", SATCHEL_VERSION),
              log_str("kernel", shares_kernel(d->shares)),
              log_str("registration", settings_registration_name(&d->settings)));
    notify_send("READY=1\nSTATUS=Ready");
}

int service_open(struct daemon **ret_d, const char *config_path, struct err *err)
{
    struct daemon *d = calloc(1, sizeof(*d));
    struct config_report rep;
    int rc = err_set(err, ERR_NOMEM, "out of memory");

    if (d == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    d->config_path = strdup(config_path);
    if (d->config_path != NULL)
        rc = settings_read(config_path, &d->settings, &rep, err);
    if (rc != ERR_OK)
        goto fail;
    d->loop = calloc(1, sizeof(*d->loop));
    if (d->loop == NULL || uv_loop_init(d->loop) != 0) {
        free(d->loop);
        d->loop = NULL;
        rc = err_set(err, ERR_NOMEM, "cannot make an event loop");
        goto fail;
    }
    log_set_level((enum log_level)d->settings.log_level);
    raise_descriptors(&d->settings);
    (void)signal(SIGPIPE, SIG_IGN);
    d->started = daemon_time();
    rc = open_parts(d, err);
    if (rc == ERR_OK) {
        say_started(d);
        *ret_d = d;
        return ERR_OK;
    }
    listeners_close(d->listeners);
    begin_teardown(d);
    (void)uv_run(d->loop, UV_RUN_DEFAULT);
fail:
    free_daemon(d);
    return rc;
}

int service_run(struct daemon *d)
{
    int code;

    (void)uv_run(d->loop, UV_RUN_DEFAULT);
    code = d->exit_code;
    log_plain(LOG_AT_INFO, "stopped");
    free_daemon(d);
    return code;
}
