/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path of a client: accept -> is it root or us? -> its line -> the
 * command answers, perhaps over several operations of the store -> the last
 * line has left -> close.
 *
 * A client that goes while the store works for it stays in memory until the
 * store has answered.
 */
#include "server/ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include "common/log.h"
#include "server/ctl_client.h"
#include "server/ctl_cmd.h"
#include "server/daemon.h"

enum { BACKLOG = 8, QUIET_MS = 10000, SOCKET_MODE_MASK = 0177 };

struct ctl {
    struct daemon *d;
    uv_pipe_t pipe;
    char *path;
    struct ctl_client *clients;
    size_t n;
    bool open, closing;
    void (*on_closed)(void *arg);
    void *closed_arg;
};

struct ctl_client {
    struct ctl_client *prev, *next;
    struct ctl *ctl;
    uv_pipe_t pipe;
    uv_timer_t quiet; /* the line must come soon */
    unsigned handles;
    char line[CTL_LINE_MAX + 1];
    size_t len;
    const char *words[CTL_WORDS_MAX + 1]; /* NULL behind the last */
    size_t used;                          /* of them, by the command's name */
    void *data;
    void (*drop)(void *data);
    bool busy, ended, going;
    ctl_step *then, *sent;
    unsigned writes;
};

/* ---- ending ---- */

static void ctl_closed_if_done(struct ctl *c)
{
    if (!c->closing || c->open || c->clients != NULL)
        return;
    c->on_closed(c->closed_arg);
    free(c->path);
    free(c);
}

static void free_client(struct ctl_client *cl)
{
    struct ctl *c = cl->ctl;

    if (cl->prev != NULL)
        cl->prev->next = cl->next;
    else
        c->clients = cl->next;
    if (cl->next != NULL)
        cl->next->prev = cl->prev;
    c->n--;
    if (cl->drop != NULL && cl->data != NULL)
        cl->drop(cl->data);
    free(cl->data);
    free(cl);
    ctl_closed_if_done(c);
}

static void free_if_done(struct ctl_client *cl)
{
    if (cl->handles == 0 && !cl->busy)
        free_client(cl);
}

static void on_client_handle_closed(uv_handle_t *h)
{
    struct ctl_client *cl = h->data;

    cl->handles--;
    free_if_done(cl);
}

static void drop_client(struct ctl_client *cl)
{
    if (cl->going)
        return;
    cl->going = true;
    uv_close((uv_handle_t *)&cl->pipe, on_client_handle_closed);
    uv_close((uv_handle_t *)&cl->quiet, on_client_handle_closed);
}

/* ---- answers ---- */

struct reply {
    uv_write_t req;
    struct ctl_client *cl;
    char *text;
};

static void on_written(uv_write_t *req, int status)
{
    struct reply *r = req->data;
    struct ctl_client *cl = r->cl;

    free(r->text);
    free(r);
    cl->writes--;
    if (status != 0 || (cl->ended && cl->writes == 0)) {
        drop_client(cl);
    } else if (cl->sent != NULL && cl->writes == 0) {
        ctl_step *sent = cl->sent;

        cl->sent = NULL;
        sent(cl, NULL);
    }
}

/* Send one line.  Takes ${line}. */
static void send_line(struct ctl_client *cl, json_t *line)
{
    struct reply *r = calloc(1, sizeof(*r));
    char *text = line != NULL ? json_dumps(line, JSON_COMPACT) : NULL;
    uv_buf_t bufs[2];

    json_decref(line);
    if (r == NULL || text == NULL || cl->going) {
        free(r);
        free(text);
        drop_client(cl);
        return;
    }
    *r = (struct reply){.cl = cl, .text = text};
    r->req.data = r;
    bufs[0] = uv_buf_init(text, (unsigned)strlen(text));
    bufs[1] = uv_buf_init((char *)(uintptr_t) "\n", 1);
    if (uv_write(&r->req, (uv_stream_t *)&cl->pipe, bufs, 2, on_written) != 0) {
        free(r);
        free(text);
        drop_client(cl);
        return;
    }
    cl->writes++;
}

void ctl_client_item(struct ctl_client *cl, json_t *json)
{
    send_line(cl, json_pack("{s:o*}", "item", json));
}

void ctl_client_event(struct ctl_client *cl, json_t *json)
{
    send_line(cl, json);
}

void ctl_client_result(struct ctl_client *cl, json_t *json)
{
    cl->ended = true;
    send_line(cl, json_pack("{s:o*}", "result", json));
}

static void send_error(struct ctl_client *cl, int code, const char *message, const char *hint)
{
    cl->ended = true;
    send_line(cl, json_pack("{s:{s:s,s:s,s:s}}", "error", "code", err_name(code), "message",
                            message, "hint", hint));
}

void ctl_client_error(struct ctl_client *cl, int code, const char *fmt, ...)
{
    char text[256];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    send_error(cl, code, text, "");
}

void ctl_client_refuse(struct ctl_client *cl, int code, const struct err *err)
{
    send_error(cl, code, err->msg[0] != '\0' ? err->msg : err_text(code), err->hint);
}

/* ---- commands ---- */

const char *ctl_client_arg(const struct ctl_client *cl, size_t i)
{
    return cl->used + i < CTL_WORDS_MAX ? cl->words[cl->used + i] : NULL;
}

struct daemon *ctl_client_daemon(const struct ctl_client *cl)
{
    return cl->ctl->d;
}

void *ctl_client_data(struct ctl_client *cl, size_t size)
{
    if (cl->data == NULL)
        cl->data = calloc(1, size);
    return cl->data;
}

void ctl_client_store(struct ctl_client *cl, int rc, ctl_step *then)
{
    if (rc != ERR_OK) {
        ctl_client_error(cl, rc, "the store refused: %s", err_text(rc));
        return;
    }
    cl->busy = true;
    cl->then = then;
}

void ctl_client_on_store(void *arg, struct store_result *res)
{
    struct ctl_client *cl = arg;

    cl->busy = false;
    if (!cl->going)
        cl->then(cl, res);
    store_result_free(res);
    if (cl->going)
        free_if_done(cl);
}

void ctl_client_drop(struct ctl_client *cl, void (*drop)(void *data))
{
    cl->drop = drop;
}

void ctl_client_wait(struct ctl_client *cl, ctl_step *then)
{
    cl->busy = true;
    cl->then = then;
}

void ctl_client_on_done(void *arg)
{
    ctl_client_on_store(arg, NULL);
}

void ctl_client_sent(struct ctl_client *cl, ctl_step *then)
{
    if (cl->writes == 0)
        then(cl, NULL);
    else
        cl->sent = then;
}

static void run_line(struct ctl_client *cl)
{
    const struct ctl_cmd *cmd;
    size_t n = 0, args;

    for (char *save = NULL, *w = strtok_r(cl->line, " ", &save); w != NULL && n < CTL_WORDS_MAX;
         w = strtok_r(NULL, " ", &save))
        cl->words[n++] = w;
    cmd = ctl_cmd_find(cl->words, n, &cl->used);
    args = n - cl->used;
    if (cmd == NULL)
        ctl_client_error(cl, ERR_INVALID, "unknown command");
    else if (args < cmd->min_args || args > cmd->max_args)
        ctl_client_error(cl, ERR_INVALID, "wrong number of arguments");
    else
        cmd->run(cl);
}

/* ---- the client's line ---- */

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
    struct ctl_client *cl = h->data;

    (void)suggested;
    *buf = uv_buf_init(cl->line + cl->len, (unsigned)(CTL_LINE_MAX - cl->len));
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
    struct ctl_client *cl = s->data;
    char *end;

    (void)buf;
    if (n < 0) {
        drop_client(cl);
        return;
    }
    if (cl->words[0] != NULL) {
        drop_client(cl); /* one line, no more */
        return;
    }
    cl->len += (size_t)n;
    cl->line[cl->len] = '\0';
    end = memchr(cl->line, '\n', cl->len);
    if (end == NULL && cl->len < CTL_LINE_MAX)
        return;
    (void)uv_timer_stop(&cl->quiet);
    if (end == NULL) {
        ctl_client_error(cl, ERR_TOOLARGE, "the line is too long");
        return;
    }
    *end = '\0';
    cl->words[0] = cl->line;
    cl->len = 0;
    run_line(cl);
}

static void on_quiet(uv_timer_t *t)
{
    drop_client(t->data);
}

/* Root, or whoever the daemon runs as. */
static bool may_ask(const uv_pipe_t *pipe)
{
    struct ucred who;
    socklen_t len = sizeof(who);
    int fd = -1;

    return uv_fileno((const uv_handle_t *)pipe, &fd) == 0 &&
           getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 &&
           (who.uid == 0 || who.uid == geteuid());
}

static void on_connection(uv_stream_t *server, int status)
{
    struct ctl *c = server->data;
    struct ctl_client *cl = status == 0 ? calloc(1, sizeof(*cl)) : NULL;

    if (cl == NULL)
        return;
    cl->ctl = c;
    cl->pipe.data = cl->quiet.data = cl;
    (void)uv_pipe_init(c->d->loop, &cl->pipe, 0);
    (void)uv_timer_init(c->d->loop, &cl->quiet);
    cl->pipe.data = cl->quiet.data = cl;
    cl->handles = 2;
    cl->next = c->clients;
    if (c->clients != NULL)
        c->clients->prev = cl;
    c->clients = cl;
    c->n++;
    if (uv_accept(server, (uv_stream_t *)&cl->pipe) != 0 || c->n > CTL_CLIENTS_MAX ||
        !may_ask(&cl->pipe) || uv_read_start((uv_stream_t *)&cl->pipe, on_alloc, on_read) != 0)
        drop_client(cl);
    else
        (void)uv_timer_start(&cl->quiet, on_quiet, QUIET_MS, 0);
}

/* ---- the socket ---- */

/* A path longer than a socket's name may be is reached through its folder's descriptor. */
static int bind_path(struct ctl *c, const char *data)
{
    char near[64];
    int dir = -1, rc;
    mode_t before;

    (void)unlink(c->path);
    before = umask(SOCKET_MODE_MASK);
    if (strlen(c->path) < sizeof(((struct sockaddr_un *)NULL)->sun_path)) {
        rc = uv_pipe_bind(&c->pipe, c->path);
    } else {
        dir = open(data, O_PATH | O_DIRECTORY | O_CLOEXEC);
        (void)snprintf(near, sizeof(near), "/proc/self/fd/%d/satcheld.sock", dir);
        rc = dir >= 0 ? uv_pipe_bind(&c->pipe, near) : UV_ENOENT;
    }
    (void)umask(before);
    if (dir >= 0)
        close(dir);
    return rc;
}

static void on_pipe_closed(uv_handle_t *h)
{
    struct ctl *c = h->data;

    c->open = false;
    ctl_closed_if_done(c);
}

static void ignore(void *arg)
{
    (void)arg;
}

int ctl_open(struct ctl **ret_c, struct daemon *d, struct err *err)
{
    struct ctl *c = calloc(1, sizeof(*c));
    int rc;

    if (c == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    c->d = d;
    c->path = settings_file(d->settings.data, SETTINGS_SOCKET);
    if (c->path == NULL) {
        free(c);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    (void)uv_pipe_init(d->loop, &c->pipe, 0);
    c->pipe.data = c;
    c->open = true;
    rc = bind_path(c, d->settings.data);
    if (rc == 0)
        rc = uv_listen((uv_stream_t *)&c->pipe, BACKLOG, on_connection);
    if (rc != 0) {
        (void)err_set(err, ERR_IO, "cannot listen on '%s': %s", c->path, uv_strerror(rc));
        ctl_close(c, ignore, NULL);
        return ERR_IO;
    }
    *ret_c = c;
    return ERR_OK;
}

void ctl_close(struct ctl *c, void (*on_closed)(void *arg), void *arg)
{
    c->closing = true;
    c->on_closed = on_closed;
    c->closed_arg = arg;
    (void)unlink(c->path);
    uv_close((uv_handle_t *)&c->pipe, on_pipe_closed);
    for (struct ctl_client *cl = c->clients; cl != NULL; cl = cl->next)
        drop_client(cl);
}
