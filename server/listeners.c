/* SPDX-License-Identifier: Apache-2.0 */
#include "server/listeners.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/net/addr.h"
#include "server/conn.h"
#include "server/daemon.h"
#include "server/notify.h"

enum { BACKLOG = 512, MAX = 16 };

struct socket {
    uv_tcp_t tcp;
    char text[ADDR_TEXT];
};

struct listeners {
    struct daemon *d;
    struct socket s[MAX];
    size_t n, closing;
};

static void on_refused(uv_handle_t *h)
{
    free(h);
}

static void on_connection(uv_stream_t *server, int status)
{
    struct listeners *l = server->data;
    uv_tcp_t *tcp;

    if (status != 0) {
        log_event(LOG_AT_WARN, "accept_failed", log_str("why", uv_strerror(status)));
        return;
    }
    tcp = malloc(sizeof(*tcp));
    if (tcp == NULL)
        return; /* stays in the backlog */
    (void)uv_tcp_init(server->loop, tcp);
    if (uv_accept(server, (uv_stream_t *)tcp) != 0)
        uv_close((uv_handle_t *)tcp, on_refused);
    else
        conn_accept(l->d, tcp);
}

static void note_address(struct socket *s)
{
    struct sockaddr_storage ss = {0};
    int len = sizeof(ss);
    struct addr a;

    if (uv_tcp_getsockname(&s->tcp, (struct sockaddr *)&ss, &len) == 0 &&
        addr_from_sockaddr(&a, (const struct sockaddr *)&ss, NULL) == ERR_OK)
        addr_format(&a, s->text);
}

/* Bind one address; libuv's status. */
static int bind_to(struct socket *s, const char *text)
{
    struct sockaddr_storage ss;
    struct addr a;
    int rc = UV_EINVAL;

    if (addr_parse_listen(&a, text, NULL) == ERR_OK && addr_to_sockaddr(&a, &ss, NULL) == ERR_OK)
        rc = uv_tcp_bind(&s->tcp, (const struct sockaddr *)&ss,
                         ss.ss_family == AF_INET6 ? UV_TCP_IPV6ONLY : 0);
    return rc;
}

static struct socket *new_socket(struct listeners *l)
{
    struct socket *s = &l->s[l->n++];

    (void)uv_tcp_init(l->d->loop, &s->tcp);
    s->tcp.data = l;
    return s;
}

static int add(struct listeners *l, const char *text, bool may_miss, struct err *err)
{
    struct socket *s = new_socket(l);
    int rc = bind_to(s, text);

    if (rc == 0)
        rc = uv_listen((uv_stream_t *)&s->tcp, BACKLOG, on_connection);
    if (may_miss && (rc == UV_EAFNOSUPPORT || rc == UV_EADDRNOTAVAIL)) {
        log_event(LOG_AT_WARN, "address_skipped", log_str("address", text),
                  log_str("why", uv_strerror(rc)));
        return ERR_OK;
    }
    if (rc != 0) {
        (void)err_set(err, ERR_IO, "cannot listen on %s: %s", text, uv_strerror(rc));
        if (rc == UV_EADDRINUSE)
            err_hint(err, "another program has this port; see 'listen' in [server]");
        return ERR_IO;
    }
    note_address(s);
    return ERR_OK;
}

/* A number in the environment is soon wrong: look at what is behind it. */
static bool is_listening(int fd)
{
    int yes = 0;
    socklen_t len = sizeof(yes);

    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &len) == 0 && yes != 0;
}

static int take_over(struct listeners *l, int fd, struct err *err)
{
    struct socket *s = new_socket(l);
    int rc = is_listening(fd) ? uv_tcp_open(&s->tcp, fd) : UV_ENOTSOCK;

    if (rc == 0)
        rc = uv_listen((uv_stream_t *)&s->tcp, BACKLOG, on_connection);
    if (rc != 0)
        return err_set(err, ERR_IO, "cannot use the socket passed by systemd: %s", uv_strerror(rc));
    note_address(s);
    return ERR_OK;
}

int listeners_open(struct listeners **ret_l, struct daemon *d, struct err *err)
{
    struct listeners *l = calloc(1, sizeof(*l));
    int passed = notify_listen_fds(), rc = ERR_OK;
    const struct config_list *list = &d->settings.listen;

    if (l == NULL)
        return err_set(err, ERR_NOMEM, "no memory for sockets");
    l->d = d;
    for (int i = 0; rc == ERR_OK && i < passed; i++)
        rc = take_over(l, NOTIFY_FIRST_FD + i, err);
    for (size_t i = 0; rc == ERR_OK && passed == 0 && i < list->n && l->n < MAX; i++)
        rc = add(l, list->items[i], list->n > 1 && list->items[i][0] == '[', err);
    if (rc != ERR_OK) {
        listeners_close(l);
        return rc;
    }
    *ret_l = l;
    return ERR_OK;
}

static void on_closed(uv_handle_t *h)
{
    struct listeners *l = h->data;

    if (--l->closing == 0)
        free(l);
}

void listeners_close(struct listeners *l)
{
    if (l == NULL)
        return;
    l->closing = l->n;
    if (l->closing == 0) {
        free(l);
        return;
    }
    for (size_t i = 0; i < l->n; i++) /* on_closed() comes from the loop, not from in here */
        uv_close((uv_handle_t *)&l->s[i].tcp, on_closed);
}

const char *listeners_address(const struct listeners *l, size_t i)
{
    for (size_t k = 0; k < l->n; k++)
        if (l->s[k].text[0] != '\0' && i-- == 0)
            return l->s[k].text;
    return NULL;
}
